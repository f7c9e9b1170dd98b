"""`remuda dev`: everything on one machine, to try it out and for demos and tests."""
