"""The launcher: makes the nodes of one provider and hands them out."""
