"""What goes over the wire: a connection that names what keeps it from working, files sent and files fetched."""
