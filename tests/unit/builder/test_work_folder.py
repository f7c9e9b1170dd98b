"""Where a builder keeps its files."""

from pathlib import Path

from builder.daemon import parent_folder


def test_files_lie_where_large_ones_may_unless_somebody_says_else() -> None:
    """The usual temporary folder is often in memory."""
    assert parent_folder({}) == Path("/var/tmp")  # noqa: S108 - what is asserted
    assert parent_folder({"TMPDIR": "/data/scratch"}) == Path("/data/scratch")
