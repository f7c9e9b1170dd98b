"""``python -m remuda``."""

from remuda.cli.main import main

main()
