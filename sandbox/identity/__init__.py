"""
Keystone v3.
"""
