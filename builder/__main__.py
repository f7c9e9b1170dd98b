"""``python -m builder``."""

from builder.command import builder
from remuda.cli.terminal import guard_terminal

guard_terminal()
builder()
