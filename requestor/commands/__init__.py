"""The commands that ask for nodes: run, request, release, ssh."""
