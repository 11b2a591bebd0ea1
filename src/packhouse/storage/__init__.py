"""Where we keep it: the database and the blobs."""
