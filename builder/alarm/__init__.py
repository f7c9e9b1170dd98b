"""Alarms: what people are to see to."""
