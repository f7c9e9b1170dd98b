"""``python -m remuda`` is the `remuda` command."""

from remuda.cli.main import main

main(prog_name="remuda")
