"""Neutron v2.0."""
