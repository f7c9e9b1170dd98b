"""What users report of the work on nodes: counted once, by who works on the node."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.node.actions import Condemn, Count, Sampled
from launcher.node.view import NodeView
from launcher.world import World
from remuda.frame.work import Written
from remuda.metrics.sink import NullMetrics
from remuda.model.ids import ReplicaId
from remuda.model.jobreport import JobReport, report_fields
from remuda.model.launch import decode as decode_launch
from remuda.model.node import NodeState
from remuda.model.tally import Sample
from remuda.store import paths
from remuda.store.api import Create, StaleWriteError
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, add_replica, of_kind, think, world

FAILED = JobReport(ok=False, why="exit code 2", at_s=1.0)


class Counted(NullMetrics):
    """Keeps what is counted of reports."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[tuple[str, str, str, str]] = []

    def count_report(self, provider: str, label: str, image: str, report: JobReport) -> None:
        """Keep it."""
        self.reports.append((provider, label, image, report.word))


def reported(made: World, state: NodeState = NodeState.USED, **launch: Any) -> NodeView:
    """Add a node whose user has reported a failure."""
    fields = report_fields(FAILED)
    return add_node(made, 1, state=state, allocated_to="200-1", launch=launch, **fields)


def sampled(view: NodeView) -> Sampled:
    """Return what is counted of a node whose user has reported a failure."""
    return Sampled(node=view.id, sample=Sample.JOB, ok=False, report=FAILED)


@pytest.mark.parametrize("state", [NodeState.IN_USE, NodeState.USED, NodeState.HOLD])
def test_a_report_is_counted_as_soon_as_it_is_said(state: NodeState) -> None:
    """Under the lock of its user, too; the deletion of a used node comes after it."""
    made = world()
    view = reported(made, state)
    view.lock = replace(view.lock, exists=True, contenders=frozenset({"x"}))

    plan = think(made)
    assert of_kind(plan, Count) == [Count(image=None, samples=(sampled(view),))]
    assert of_kind(plan, Condemn) == []


def test_what_is_counted_is_not_counted_again() -> None:
    """By whoever takes the node over, or in the next turn; the life of the node goes on."""
    made = world()
    view = reported(made, reported="failed")

    plan = think(made)
    assert of_kind(plan, Count) == []
    assert [one.node for one in of_kind(plan, Condemn)] == [view.id]


def test_nobody_counts_for_another_replica() -> None:
    """The one that works on the node does."""
    made = world()
    view = reported(made)
    assert view.launch is not None
    view.launch = replace(view.launch, owner=ReplicaId("other"))
    add_replica(made, "here", "other")

    assert of_kind(think(made), Count) == []


def test_a_report_is_written_and_then_counted() -> None:
    """With label and image; nothing is counted if another was faster."""
    made = world()
    works = Works(made)
    works.results.metrics = counted = Counted()
    works.results.__post_init__()
    view = reported(made, image_build="base/41", image_place="west")
    assert view.launch is not None
    path = paths.launch("here", view.id)
    works.store.ensure(path.rpartition("/")[0])
    works.store.commit([Create(path=path)])
    view.launch_version = 0
    (action,) = of_kind(think(made), Count)

    works.results.take(Written(action=action, result=StaleWriteError(path, "is newer")), NOW)
    assert counted.reports == []

    works.starter.start(action, NOW)
    works.store.wire.deliver_one()
    stored = works.store.read(path)
    assert stored is not None
    assert decode_launch(view.id, stored.value).reported == "failed"
    (event,) = works.ground.inbox.drain(wait_s_max=0.0).events
    works.results.take(event, NOW)
    assert counted.reports == [("here", "small", "base", "failed")]
