"""What recipes say of builds that change nothing, and of where builds start."""

from collections.abc import Callable

import pytest

from remuda.config.loader import Reading
from tests.support.recipes import LABELS, Says


def test_what_is_left_out_of_inventories_are_patterns_of_whole_names(told: Says) -> None:
    """And there are two ways to tell files from each other."""
    why = (
        "is not a pattern of whole names of files; "
        "write for example /var/lib/docker, or '/home/*/.cache/pip'"
    )

    assert told("    inventory-ignore: [var/lib, '*/x']\n    inventory: names\n") == [
        f"images.noble.inventory-ignore[0]: 'var/lib' {why}",
        (
            "images.noble.inventory: 'names' is not one of the known words; "
            "known here: contents, sizes"
        ),
    ]


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("    full-every: 3\n", "counts with start-from: current only"),
        (
            "    start-from: current\n",
            "builds by schedule start from the current one, and it has no schedule",
        ),
        ("    start-from: current\n    schedule: {max-age: 1d}\n    full-every: 3\n", None),
    ],
)
def test_what_is_said_of_the_start_in_vain_is_told(
    reads: Callable[..., Reading], more: str, warned: str | None
) -> None:
    """It does no harm, and nobody would notice."""
    reading = reads(LABELS + more)

    assert reading.problems == ()
    assert [one.message for one in reading.warnings] == ([] if warned is None else [warned])
