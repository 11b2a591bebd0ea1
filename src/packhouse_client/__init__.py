"""The client's side of Packhouse: speaks HTTP, imports nothing of the server."""

__version__ = "0.1.0"
