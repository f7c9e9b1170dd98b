"""What holders of nodes tell of archives: numbers of strangers, believed whole or not at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model.archivetold import FILES_MAX, ArchiveOutcome, ArchiveTold, read_archive_told
from remuda.model.fetched import FETCHED_BYTES_MAX
from remuda.model.jobreport import JobReport, report_fields, told_of
from remuda.model.node import NodeState
from tests.unit.launcher.worlds import add_node, world

GOOD = {"files": 3, "bytes": 700, "failed": 1, "complete": False}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("files", "complete", "outcome"),
    [
        (3, True, ArchiveOutcome.COMPLETE),
        (0, True, ArchiveOutcome.COMPLETE),  # an empty folder was all that there was to keep
        (3, False, ArchiveOutcome.INCOMPLETE),
        (0, False, ArchiveOutcome.FAILED),
    ],
)
def test_what_became_of_an_archive(*, files: int, complete: bool, outcome: ArchiveOutcome) -> None:
    """One word of three."""
    assert ArchiveTold(files=files, complete=complete).outcome is outcome


@pytest.mark.parametrize("key", ["files", "bytes", "failed"])
@pytest.mark.parametrize(
    "value", [True, -1, 1.5, "7", None, [], 10**400, FETCHED_BYTES_MAX + 1, float("inf")]
)
def test_a_number_that_is_none_takes_the_rest_with_it(key: str, value: object) -> None:
    """Half of it would be counted as if it were the whole."""
    assert read_archive_told({**GOOD, key: value}) is None


@pytest.mark.parametrize("value", [None, 1, "true", [], {}])
def test_whether_it_is_complete_has_to_be_said(value: object) -> None:
    """By yes or no."""
    assert read_archive_told({**GOOD, "complete": value}) is None


@pytest.mark.parametrize("key", ["files", "failed"])
def test_more_files_than_there_can_be_are_not_believed(key: str) -> None:
    """The last that is, and the first that is not."""
    assert read_archive_told({**GOOD, key: FILES_MAX}) is not None
    assert read_archive_told({**GOOD, key: FILES_MAX + 1}) is None


@given(st.dictionaries(st.sampled_from([*GOOD, "x"]), _JSON) | _JSON)
def test_whatever_is_told_is_read_or_ignored(value: Any) -> None:
    """Never an error, never beyond a bound."""
    told = read_archive_told(value)
    assert told is None or max(told.files, told.failed) <= FILES_MAX
    assert told is None or 0 <= told.bytes <= FETCHED_BYTES_MAX


def report_in(fields: dict[str, Any]) -> JobReport:
    """Return what a node with these fields says."""
    view = add_node(world(), 1, state=NodeState.USED, **fields)
    assert view.node is not None
    report = told_of(view.node)
    assert report is not None
    return report


def test_it_is_a_part_of_the_report_and_a_bad_one_leaves_the_rest() -> None:
    """Written and read back; the job's own result counts whatever is told of an archive."""
    told = ArchiveTold(files=3, bytes=700, failed=1)
    fields = report_fields(JobReport(ok=False, why="x", at_s=1.0, archived=told))
    report = report_in(fields)
    assert report.archived == told
    assert report.as_json()["archived"] == {**GOOD}

    fields["remuda_report"]["archived"] = {"files": "many"}
    report = report_in(fields)
    assert (report.ok, report.why, report.archived) == (False, "x", None)
