"""Machines that builders get of launchers: asked for, vouched for, logged in to."""
