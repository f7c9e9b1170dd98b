"""Judgements over the records of images that builders, launchers and the command share."""
