"""Pointers: which build each provider boots."""
