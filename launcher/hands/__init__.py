"""Hands carry out actions: they do the I/O, decide nothing, and return one event each."""
