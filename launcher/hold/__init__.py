"""Machines that are kept for people: who may have them, how long, and what is said at the end."""
