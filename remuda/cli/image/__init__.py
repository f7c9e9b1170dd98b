"""`remuda image`: images of ours, what they are at, and what a person may do to them."""
