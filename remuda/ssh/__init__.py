"""Proving machines over SSH. The only package that imports paramiko."""
