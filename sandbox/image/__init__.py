"""
Glance v2.
"""
