"""Requests: what waits, who serves it first, and what we say of it."""
