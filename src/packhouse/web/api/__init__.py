"""The management API: JSON for the command line and for scripts."""
