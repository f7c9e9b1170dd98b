"""What users tell of archives: counted once, whatever else is, by who works on the node."""

from typing import Any

import pytest

from launcher.node.actions import Condemn, Count, Sampled
from launcher.node.view import NodeView
from launcher.world import World
from remuda.frame.work import Written
from remuda.metrics.sink import NullMetrics
from remuda.model.archivetold import ArchiveTold
from remuda.model.jobreport import JobReport, report_fields
from remuda.model.launch import decode as decode_launch
from remuda.model.node import NodeState
from remuda.model.tally import Sample
from remuda.store import paths
from remuda.store.api import Create, StaleWriteError
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world

TOLD = ArchiveTold(files=3, bytes=700, failed=1)
WHOLE = ArchiveTold(files=3, bytes=700, complete=True)


def archived(made: World, told: ArchiveTold = TOLD, **launch: Any) -> NodeView:
    """Add a node whose user has reported, and told of an archive."""
    fields = report_fields(JobReport(ok=True, at_s=1.0, archived=told))
    return add_node(made, 1, state=NodeState.USED, allocated_to="200-1", launch=launch, **fields)


def sampled(view: NodeView, told: ArchiveTold = TOLD) -> Sampled:
    """Return what is counted of it."""
    return Sampled(node=view.id, sample=None, ok=told.complete, archived=told)


def test_the_job_is_counted_first_and_then_its_archive() -> None:
    """One report may tell both; the deletion comes after them."""
    made = world()
    view = archived(made)
    (first,) = of_kind(think(made), Count)
    assert [(one.sample, one.archived) for one in first.samples] == [(Sample.JOB, None)]

    made = world()
    view = archived(made, reported="ok")
    plan = think(made)
    assert of_kind(plan, Count) == [Count(image=None, samples=(sampled(view),))]
    assert of_kind(plan, Condemn) == []


@pytest.mark.parametrize("build", [None, "base/41"])
def test_what_is_counted_is_not_counted_again(build: str | None) -> None:
    """Nor under an image, whatever the machine boots."""
    made = world()
    view = archived(made, reported="ok", counted="ok", image_build=build, archived="incomplete")

    plan = think(made)
    assert of_kind(plan, Count) == []
    assert [one.node for one in of_kind(plan, Condemn)] == [view.id]


def test_an_archive_says_nothing_of_an_image() -> None:
    """It is counted in metrics alone."""
    made = world()
    view = archived(made, reported="ok", image_build="base/41", image_place="west")

    assert of_kind(think(made), Count) == [Count(image=None, samples=(sampled(view),))]


class Counted(NullMetrics):
    """Keeps what is counted of archives."""

    def __init__(self) -> None:
        super().__init__()
        self.archives: list[tuple[str, str, ArchiveTold]] = []

    def count_archive(self, provider: str, label: str, told: ArchiveTold) -> None:
        """Keep it."""
        self.archives.append((provider, label, told))


@pytest.mark.parametrize(("told", "word"), [(TOLD, "incomplete"), (WHOLE, "complete")])
def test_it_is_written_and_then_counted(told: ArchiveTold, word: str) -> None:
    """Into the launch record, with label and provider; nothing if another was faster."""
    made = world()
    works = Works(made)
    works.results.metrics = counted = Counted()
    works.results.__post_init__()
    view = archived(made, told, reported="ok")
    path = paths.launch("here", view.id)
    works.store.ensure(path.rpartition("/")[0])
    works.store.commit([Create(path=path)])
    view.launch_version = 0
    (action,) = of_kind(think(made), Count)

    works.results.take(Written(action=action, result=StaleWriteError(path, "is newer")), NOW)
    assert counted.archives == []

    works.starter.start(action, NOW)
    works.store.wire.deliver_one()
    stored = works.store.read(path)
    assert stored is not None
    launch = decode_launch(view.id, stored.value)
    assert (launch.archived, launch.reported) == (word, "ok")
    (event,) = works.ground.inbox.drain(wait_s_max=0.0).events
    works.results.take(event, NOW)
    assert counted.archives == [("here", "small", told)]
