"""Images as a whole: their records, and the folders of what they have."""
