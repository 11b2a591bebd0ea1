"""What the package clients speak."""
