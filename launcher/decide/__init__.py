"""The judgements: pure functions from what the launcher knows to what it does next."""
