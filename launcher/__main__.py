"""``python -m launcher``."""

from launcher.command import launcher
from remuda.cli.terminal import guard_terminal

guard_terminal()
launcher()
