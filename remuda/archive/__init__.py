"""What a job leaves, kept: a tree of files written as a stream, with an index and a manifest."""
