"""Images of ours: which one is booted, what is outdated, and what is used."""
