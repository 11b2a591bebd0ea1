"""How others write it: bytes into values and back, a folder per ecosystem, no database and no web."""
