"""What builders do to the world: each hand does one action, and says what came of it."""
