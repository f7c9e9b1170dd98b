"""``python -m launcher``."""

from launcher.command import launcher
from remuda.cli.saying import guard_terminal

guard_terminal()
launcher()
