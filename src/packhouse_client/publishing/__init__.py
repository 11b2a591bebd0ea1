"""What `upload` does: look at the files, choose the channels, and send what is not there yet."""
