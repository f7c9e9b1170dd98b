"""``python -m launcher``."""

from launcher.command import launcher

launcher()
