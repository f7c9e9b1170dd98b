"""Images of ours: which one is booted, and what is outdated."""
