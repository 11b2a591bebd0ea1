"""Mirrors: specify them, run them, fetch what they list."""
