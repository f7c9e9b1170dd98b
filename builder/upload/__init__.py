"""Uploads: builds in places: copied there, proven there, retired and deleted."""
