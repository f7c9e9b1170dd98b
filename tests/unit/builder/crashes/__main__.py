"""``python -m tests.unit.builder.crashes``: every moment, in every way."""

import tempfile
from pathlib import Path

import click

from tests.unit.builder.crashes.mortal import When
from tests.unit.builder.crashes.test_crashes import FIRST, SECOND, after_first, first, survive
from tests.unit.builder.crashes.test_file_crashes import NUMBERS
from tests.unit.builder.crashes.test_file_crashes import first as of_file
from tests.unit.builder.crashes.test_first_use_crashes import NUMBERS as TWICE
from tests.unit.builder.crashes.test_first_use_crashes import REST_S
from tests.unit.builder.crashes.test_first_use_crashes import first as wanted


@click.command()
def main() -> None:
    """Run all of them; the first that breaks a rule ends it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for when in When:
            click.echo(f"{when} ...")
            survive(folder, first, FIRST, when, 1)
            survive(folder, after_first(folder), SECOND, when, 1)
            survive(folder, of_file, NUMBERS, when, 1)
            survive(folder, wanted, TWICE, when, 1, rest_s=REST_S)


if __name__ == "__main__":
    main()
