"""Capsules: everything that is known of a machine that failed, or that somebody asks about."""
