"""What machines fetch is counted once: with their image, or as that of machines without one."""

from dataclasses import replace

import pytest

from launcher.node import steps
from launcher.node import writes as node_writes
from launcher.node.actions import Count, Sampled
from launcher.node.results import NodeResults
from launcher.node.view import NodeView
from launcher.world import World
from remuda.frame.work import Written
from remuda.metrics.sink import NullMetrics
from remuda.model.codec import CorruptRecordError
from remuda.model.fetched import During, Fetches
from remuda.model.imageask import ImageUse, image_label
from remuda.model.jobreport import JobReport, report_fields
from remuda.model.launch import Step
from remuda.model.launch import decode as decode_launch
from remuda.model.node import NodeState
from remuda.model.tally import PLAIN, PLAIN_BUILD, Counts, Sample, decode_tally
from remuda.ssh.api import Proof
from remuda.store import paths
from remuda.store.api import Create, Dirty, Gone, Put, Set, Stored
from tests.unit.launcher.firstuse import first, plainly
from tests.unit.launcher.works import Quiet
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world

PATH = paths.plain_tally("here")
MIB = 2**20


class Observed(NullMetrics):
    """Keeps what is told of fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str, str, During, int]] = []
        self.reports: list[str] = []

    def observe_fetched(
        self, provider: str, label: str, image: str, during: During, fetched: int
    ) -> None:
        """Keep it."""
        self.told.append((provider, label, image, during, fetched))

    def count_report(self, provider: str, label: str, image: str, report: JobReport) -> None:  # noqa: ARG002 - one signature
        """Keep of which image it is."""
        self.reports.append(image)


def ready(made: World, number: int = 1, fetched: int | None = 300 * MIB) -> NodeView:
    """Add a node that is ready and boots no image of ours, whose setup has fetched so much."""
    return add_node(made, number, launch={"setup_fetched": fetched, "address": "192.0.2.1"})


def counts(made: World) -> list[Count]:
    """Return what is counted now."""
    return of_kind(think(made), Count)


def test_a_setup_without_an_image_is_counted_once_for_all_of_them() -> None:
    """In one transaction: they share a record."""
    made = world()
    for number in (1, 2):
        ready(made, number)

    (action,) = counts(made)
    assert action.image == PLAIN
    assert [(one.sample, one.ok, one.fetched) for one in action.samples] == [
        (Sample.LAUNCH, True, 300 * MIB)
    ] * 2
    *launches, create = node_writes.count(made, action)
    assert isinstance(create, Create)
    assert create.path == PATH
    tally = decode_tally(PLAIN, "here", create.data).of(PLAIN_BUILD)
    assert tally.fetched_setups == {"small": Fetches(2, 600 * MIB)}
    assert tally.launches == {"small": Counts(2, 0)}
    assert len(launches) == 2
    assert all(isinstance(one, Set) for one in launches)
    assert decode_launch(action.samples[0].node, launches[0].data).counted == "ok"  # type: ignore[union-attr]


def test_what_is_counted_is_added_to_what_is_on_record() -> None:
    """At its version: whoever else counts at the same moment makes it fail."""
    made = world()
    ready(made)
    (action,) = counts(made)
    *_, create = node_writes.count(made, action)
    assert isinstance(create, Create)
    made.images.take_plain(Put(path=PATH, stored=Stored(path=PATH, value=create.data, version=4)))

    *_, again = node_writes.count(made, action)
    assert isinstance(again, Set)
    assert (again.path, again.version) == (PATH, 4)
    tally = decode_tally(PLAIN, "here", again.data).of(PLAIN_BUILD)
    assert tally.fetched_setups == {"small": Fetches(2, 600 * MIB)}


def test_no_two_transactions_count_the_same_record_at_once() -> None:
    """The others wait for a moment."""
    made = world()
    ready(made)
    (action,) = counts(made)
    made.busy.enter(("tally", PLAIN), action)

    assert counts(made) == []


@pytest.mark.parametrize("fetched", [0, 300 * MIB])
def test_who_fetched_nothing_is_counted_and_who_does_not_tell_is_not(fetched: int) -> None:
    """Nothing known is not nothing."""
    made = world()
    ready(made, 1, fetched)
    ready(made, 2, None)

    (action,) = counts(made)
    assert [one.fetched for one in action.samples] == [fetched]


def test_a_builders_machine_without_an_image_is_not_counted() -> None:
    """It has no setup; a forged record changes nothing."""
    made = world()
    view = ready(made)
    assert view.launch is not None
    view.launch = replace(view.launch, label=image_label("noble", ImageUse.MAKE))

    assert counts(made) == []


def test_a_node_that_somebody_is_about_to_get_is_counted_later() -> None:
    """Nobody waits for a statistic."""
    made = world()
    launch = {"setup_fetched": 7, "address": "192.0.2.1"}
    add_node(made, 1, state=NodeState.READY, allocated_to="200-1", launch=launch)

    assert counts(made) == []


def reported(made: World, fetched: int | None) -> NodeView:
    """Add a node without an image of ours whose holder tells what the job fetched."""
    fields = report_fields(JobReport(ok=True, at_s=1.0, fetched_bytes=fetched))
    return add_node(made, 1, state=NodeState.USED, allocated_to="200-1", **fields)


def test_what_a_job_fetched_comes_with_its_report() -> None:
    """Without it, the report is counted in metrics alone, as before."""
    made = world()
    reported(made, 12 * MIB)
    (action,) = counts(made)
    assert action.image == PLAIN
    *_, create = node_writes.count(made, action)
    assert isinstance(create, Create)
    tally = decode_tally(PLAIN, "here", create.data).of(PLAIN_BUILD)
    assert tally.fetched_jobs == {"small": Fetches(1, 12 * MIB)}

    silent = world()
    reported(silent, None)
    (action,) = counts(silent)
    assert action.image is None
    assert len(node_writes.count(silent, action)) == 1


def test_a_record_that_is_closed_or_broken_keeps_nobody_from_anything() -> None:
    """The launch notes that it is counted; one that cannot be read is begun anew."""
    made = world()
    ready(made)
    (action,) = counts(made)
    made.images.take_plain(Put(path=PATH, stored=None, closed=True))
    assert len(node_writes.count(made, action)) == 1

    made.images.take_plain(Gone(path=PATH))
    made.images.take_plain(Dirty(path=PATH))
    assert len(node_writes.count(made, action)) == 2
    with pytest.raises(CorruptRecordError):
        made.images.take_plain(Put(path=PATH, stored=Stored(path=PATH, value=b"[]", version=7)))
    *_, anew = node_writes.count(made, action)
    assert isinstance(anew, Set)
    assert anew.version == 7


def test_it_is_told_once_it_is_written() -> None:
    """By label, and image if there is one."""
    made, told = world(), Observed()
    results = NodeResults(world=made, host_keys={}, log=Quiet(), metrics=told)
    plain = ready(made, 1)
    built = add_node(made, 2, launch={"image_build": "noble/2", "image_place": "x"})
    setup = Sampled(node=plain.id, sample=Sample.LAUNCH, ok=True, fetched=5)
    job = Sampled(node=built.id, sample=Sample.JOB, ok=True, fetched=7)
    silent = Sampled(node=built.id, sample=Sample.JOB, ok=True)
    for one in (setup, job, silent):
        action = Count(image=PLAIN, samples=(one,))
        results.answers()[Count](action, Written(action=action, result=()), NOW)

    assert told.told == [
        ("here", "small", "", During.SETUP, 5),
        ("here", "small", "noble", During.JOB, 7),
    ]


def test_a_machine_that_ran_a_recipe_is_told_apart_in_metrics() -> None:
    """As its user is told."""
    made, told = first(), Observed()
    view = plainly(made, 1)
    results = NodeResults(world=made, host_keys={}, log=Quiet(), metrics=told)
    report = JobReport(ok=True, at_s=1.0, fetched_bytes=7)
    job = Sampled(node=view.id, sample=Sample.JOB, ok=True, report=report, fetched=7)
    done = Count(image=None, samples=(job,))
    results.answers()[Count](done, Written(action=done, result=()), NOW)
    assert told.told == [("here", "small", "noble/first-use", During.JOB, 7)]
    assert told.reports == ["noble/first-use"]


@pytest.mark.parametrize("below", [None, "jammy/1"])
def test_a_machine_that_ran_a_recipe_is_neither_without_an_image_nor_of_the_one_below(
    below: str | None,
) -> None:
    """What its setup fetches with what its recipe left tells nothing of either."""
    made, told = world(), Observed()
    launch = {"first_use": "f", "image_build": below, "image_place": below and "x"}
    set_up = {"setup_fetched": 5, "address": "192.0.2.1", "counted": None}
    view = add_node(made, 1, launch={**launch, **set_up})

    (action,) = counts(made)
    assert (action.image, [one.fetched for one in action.samples]) == (None, [5])
    results = NodeResults(world=made, host_keys={}, log=Quiet(), metrics=told)
    report = JobReport(ok=True, at_s=1.0, fetched_bytes=7)
    job = Sampled(node=view.id, sample=Sample.JOB, ok=True, report=report, fetched=7)
    for one in (*action.samples, job):
        done = Count(image=None, samples=(one,))
        results.answers()[Count](done, Written(action=done, result=()), NOW)

    assert told.told == [
        ("here", "small", "", During.SETUP, 5),
        ("here", "small", "", During.JOB, 7),
    ]
    assert told.reports == [""]


def test_a_proof_tells_what_the_setup_fetched() -> None:
    """It goes into the launch's record with the step that makes the node ready."""
    made = world()
    view = add_node(made, 1, state=NodeState.BUILDING, step=Step.PROVING)
    view.proof = view.proof.tried(Proof(ok=True, setup_fetched=9))
    assert view.node is not None
    assert steps.proven(view, view.node, now_s=1.0).launch.setup_fetched == 9
