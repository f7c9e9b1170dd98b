"""What all else stands on: clocks, the inbox, signals, how to log."""
