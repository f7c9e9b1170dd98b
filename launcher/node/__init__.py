"""Nodes: how many are made, and the life of each, by its records."""
