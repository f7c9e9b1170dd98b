"""What is said of the work on a node: read from anybody's record, and only of one worked on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model import node as nodes
from remuda.model.ids import NodeId
from remuda.model.jobreport import (
    REPORT_KEY,
    WHY_CHARS_MAX,
    JobReport,
    Source,
    job_report,
    report_fields,
    report_of,
)
from remuda.model.node import Node, NodeState

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=3),
    max_leaves=8,
)


def node(state: NodeState = NodeState.USED, **fields: Any) -> Node:
    """Return a node with these fields in its record."""
    return Node(id=NodeId("1"), state=state, state_time_s=7.0, labels=("small",), doc=fields)


def test_a_report_comes_back_from_the_record() -> None:
    """As it was said; the reason is one bounded line."""
    said = job_report(ok=False, why="exit code 2\n" + "x" * 1000, at_s=12.34567)
    record = nodes.encode(node(**report_fields(said)))

    read = report_of(nodes.decode(NodeId("1"), record))
    assert read == said
    assert read is not None
    assert (read.word, len(read.why) <= WHY_CHARS_MAX, read.at_s) == ("failed", True, 12.346)
    assert read.why.startswith("exit code 2 x")


@pytest.mark.parametrize(
    "state", [NodeState.READY, NodeState.BUILDING, NodeState.DELETING, NodeState.FAILED]
)
def test_nobody_has_worked_on_it(state: NodeState) -> None:
    """Then nothing that is said counts."""
    assert report_of(node(state, **report_fields(JobReport(ok=True)))) is None


def test_what_zuul_holds_has_failed() -> None:
    """Its autohold is for failed jobs; what people or Jenkins hold says nothing."""
    zuul = {"user_data": {"zuul_system": "1a47", "project_name": "p"}, "hold_job": "t p unit .*"}

    read = report_of(node(NodeState.HOLD, **zuul, comment="look at it"))
    assert read == JobReport(
        ok=False, why="held by Zuul for t p unit .*: look at it", at_s=7.0, source=Source.ZUUL
    )
    assert report_of(node(NodeState.USED, **zuul)) is None
    assert report_of(node(NodeState.HOLD, hold_job="job", comment="Jenkins hold")) is None
    own = report_fields(JobReport(ok=True))
    assert report_of(node(NodeState.HOLD, **zuul, **own)) == JobReport(ok=True)


@given(JSON, JSON, JSON, st.sampled_from(NodeState))
def test_whatever_stands_there_is_read_or_left_alone(
    report: Any, user_data: Any, comment: Any, state: NodeState
) -> None:
    """Every value is typed, bounded and finite."""
    foreign = node(
        state,
        **{REPORT_KEY: report, "user_data": user_data, "comment": comment, "hold_job": comment},
    )

    read = report_of(foreign)
    if read is not None:
        assert isinstance(read.ok, bool)
        assert len(read.why) <= WHY_CHARS_MAX
        assert 0 <= read.at_s < 1e14
        read.why.encode()


@given(JSON, JSON)
def test_a_report_with_odd_fields_keeps_what_is_right(why: Any, at_s: Any) -> None:
    """Whether it went well is what counts."""
    read = report_of(node(**{REPORT_KEY: {"ok": False, "why": why, "at_s": at_s}}))

    assert read is not None
    assert not read.ok
