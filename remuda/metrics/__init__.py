"""Names and sinks of everything that is measured."""
