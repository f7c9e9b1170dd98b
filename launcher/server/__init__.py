"""Servers: what the cloud is asked for, and what its listings show."""
