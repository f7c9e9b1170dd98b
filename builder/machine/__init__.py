"""Machines that launchers lend to builders: asked for, vouched for, logged in to."""
