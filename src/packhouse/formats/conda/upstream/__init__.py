"""The indexes of somebody else's conda channel, read with as little trust as they deserve."""
