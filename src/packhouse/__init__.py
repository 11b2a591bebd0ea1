"""Packhouse: a self-hosted, governed package repository for conda, Python and R."""

__version__ = "0.1.0"
