"""The status endpoint of every process."""
