"""Builds: which are due, their next step, and how one is made on a machine."""
