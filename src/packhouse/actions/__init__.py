"""What Packhouse does: one verb a file, and the only code that changes anything."""
