"""``remuda cloud check``: what an operator runs before trusting a cloud."""
