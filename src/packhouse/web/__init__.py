"""How Packhouse is reached: HTTP in, an action, HTTP out."""
