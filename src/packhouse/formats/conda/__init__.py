"""How conda writes it: package files, and the documents that its clients choose from."""
