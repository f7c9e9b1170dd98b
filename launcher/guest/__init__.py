"""Whom launchers let onto running machines: a public key, put there for one visit."""
