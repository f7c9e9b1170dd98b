"""The life of one node, whoever has it made: a launcher, or ``remuda cloud check --boot``."""
