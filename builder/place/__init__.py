"""Places: the clouds in which images lie: what they say, and what of ours no record knows."""
