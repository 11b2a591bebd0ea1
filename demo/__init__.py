"""`make demo`: a package's whole way, from the one who publishes it to the one who runs it, on this machine."""
