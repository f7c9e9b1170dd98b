"""Held machines that become images of their developers: what is wished, granted, and in the way."""
