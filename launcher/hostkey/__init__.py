"""The host key of a held machine: made anew on it, for the one that it was given is no secret."""
