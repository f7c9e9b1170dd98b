"""What every daemon is made of: clock, inbox, hands, signals."""
