"""A part of the requests boots a newer build, and what becomes of its machines is counted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from launcher.image.index import Images
from launcher.node import writes as node_writes
from launcher.node.actions import Condemn, Count, Probe, RemoveRecords, Sampled
from launcher.node.counting import SAMPLES_MAX
from launcher.node.view import NodeView
from launcher.world import World
from remuda.frame.work import HandCrashed, Written
from remuda.metrics.results import Result
from remuda.model.codec import CorruptRecordError
from remuda.model.imageask import ImageUse, image_label
from remuda.model.jobreport import JobReport, Source, report_fields
from remuda.model.launch import Step
from remuda.model.launch import decode as decode_launch
from remuda.model.node import NodeState
from remuda.model.pointer import Canary
from remuda.model.tally import Counts, Sample, Tally, decode_tally, encode_tally
from remuda.store import paths
from remuda.store.api import Create, Gone, Op, Put, Set, StaleWriteError
from tests.unit.launcher.imaged import WORD, booted, builds, imaged, point, put, store_build
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, add_request, know, of_kind, think

TALLY: Final = paths.tally("noble", "here")
ADDRESS: Final = {"address": "198.18.0.1"}


def trying(share: float = 1.0, **fields: Any) -> World:
    """Return a world in which build 1 is current, and build 2 is tried."""
    made = imaged(**fields)
    store_build(made, 2)
    point(made, 1, canary=Canary(number=2, share=share, since_s=1.0))
    return made


def test_a_part_of_the_requests_gets_the_canary() -> None:
    """The same ones whenever they are asked about."""
    made = trying(0.25)
    falls = [made.images.tried("noble", NOW.wall_s, f"100-{n:010d}") for n in range(4000)]

    assert 900 <= sum(one is not None for one in falls) <= 1100
    assert falls[:50] == [
        made.images.tried("noble", NOW.wall_s, f"100-{n:010d}") for n in range(50)
    ]


def test_a_request_that_wants_its_own_machines_boots_one_build() -> None:
    """Either, but all of them the same."""
    for share, number in ((1.0, 2), (1e-12, 1)):
        made = trying(share)
        add_request(made, 1, "small", "small", reuse=False)
        assert builds(made) == [f"noble/{number}"] * 2


def test_machines_for_anybody_boot_either() -> None:
    """As large a part as of the requests; from one plan to the next, not the same ones."""
    made = trying(0.5)
    for number in range(1, 6):
        add_request(made, number)
    booted_builds: list[tuple[str | None, ...]] = []
    for version in range(40):
        made.ledger_version = version
        booted_builds.append(tuple(builds(made)))

    assert len(set(booted_builds)) > 10
    second = sum(one == "noble/2" for some in booted_builds for one in some)
    assert 60 <= second <= 140


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: point(made, 1),
        lambda made: point(
            made, 1, canary=Canary(number=2, share=1.0, since_s=1.0), withdrawn={2: WORD}
        ),
        lambda made: store_build(made, 2, revoked=True),
        lambda made: put(made, paths.upload(store_build(made, 2)), b"{"),
    ],
)
def test_what_cannot_be_booted_is_not_tried(spoil: Callable[[World], None]) -> None:
    """The current one serves all then."""
    made = trying()
    try:
        spoil(made)
    except CorruptRecordError:
        assert "unreadable" not in str(made.images)
    add_request(made, 1)

    assert builds(made) == ["noble/1"]


def test_a_machine_needs_the_disk_of_what_is_tried() -> None:
    """Flavors are chosen for both."""
    made = trying()
    stored = made.images.uploads[store_build(made, 2)]
    made.images.uploads[stored.value.id] = replace(
        stored, value=replace(stored.value, min_disk_gib=40)
    )

    assert made.images.needs("noble", NOW.wall_s).disk_gib == 40
    point(made, 1)
    assert made.images.needs("noble", NOW.wall_s).disk_gib == 0


def counts(made: World) -> list[Sampled]:
    """Return what a plan counts."""
    return [one for action in of_kind(think(made), Count) for one in action.samples]


def launched(made: World, number: int = 1, **more: Any) -> NodeView:
    """Add a node that boots build 2, and was ready once."""
    launch = {**booted(2), **ADDRESS, **more.pop("launch", {})}
    return add_node(made, number, launch=launch, **more)


def test_a_launch_that_went_well_is_counted_once() -> None:
    """While it waits for somebody; whoever gets it at this moment does not wait for that."""
    made = trying()
    view = launched(made)
    assert counts(made) == [Sampled(node=view.id, sample=Sample.LAUNCH, ok=True)]

    assert view.launch is not None
    view.launch = replace(view.launch, counted="ok")
    assert counts(made) == []
    for other in (trying(), imaged()):
        wanting = add_request(other, 7)
        launched(other, allocated_to=wanting.id)
        assert counts(other) == []


def failed(made: World, result: Result = Result.SSH, **launch: Any) -> NodeView:
    """Add a condemned launch of build 2 that ran, and failed."""
    ran = {"failed": str(result), "active_s": NOW.wall_s - 5.0, **booted(2), **launch}
    return add_node(made, 1, step=Step.CONDEMNED, launch=ran)


@pytest.mark.parametrize("result", [Result.SSH, Result.NETWORK, Result.KEYSCAN])
def test_a_launch_that_failed_is_counted_before_its_records_go(result: Result) -> None:
    """What is done to its server waits for a moment."""
    made = trying()
    view = failed(made, result)
    plan = think(made)

    assert of_kind(plan, RemoveRecords, Condemn, Probe) == []
    (action,) = of_kind(plan, Count)
    assert action == Count(
        image="noble", samples=(Sampled(node=view.id, sample=Sample.LAUNCH, ok=False),)
    )


@pytest.mark.parametrize("result", [Result.STATUS, Result.CREATE_TIMEOUT, Result.QUOTA])
def test_what_is_the_clouds_doing_is_not_counted(result: Result) -> None:
    """No room, no host: that says nothing of an image."""
    assert counts_of(failed, result) == []


def counts_of(add: Callable[..., NodeView], *args: Any, **more: Any) -> list[Sampled]:
    """Return what is counted of a node that is added."""
    made = trying()
    add(made, *args, **more)
    return counts(made)


def test_the_slow_first_boot_on_a_host_is_no_fault() -> None:
    """One that was late to run had no time left; nor is one that never ran the image's failure."""
    assert counts_of(failed, planned_s=NOW.wall_s - 600.0) == []
    assert counts_of(failed, active_s=None) == []
    assert counts_of(failed, failed=None) == []


def test_a_builders_machines_are_not_counted() -> None:
    """They are tried by whoever asked for them."""
    made = trying()
    label = image_label("noble", ImageUse.PROVE)
    view = failed(made)
    assert view.launch is not None
    view.launch = replace(view.launch, label=label)

    assert counts(made) == []


def test_a_job_and_a_launch_are_counted_one_after_the_other() -> None:
    """Each in its own transaction; the release of the node comes after both."""
    made = trying()
    report = report_fields(JobReport(ok=True, at_s=1.0))
    view = launched(made, state=NodeState.USED, **report)
    (first,) = counts(made)
    assert (first.sample, first.ok) == (Sample.JOB, True)

    assert view.launch is not None
    view.launch = replace(view.launch, reported="ok")
    (second,) = counts(made)
    assert second.sample is Sample.LAUNCH
    view.launch = replace(view.launch, counted="ok")
    assert [one.node for one in of_kind(think(made), Condemn)] == [view.id]


def test_one_transaction_counts_many_and_no_two_at_once() -> None:
    """Two that name the same version of the tally would fail each other."""
    made = trying(pools={"main": {"max-servers": 100}})
    for number in range(1, SAMPLES_MAX + 11):
        launched(made, number)
    plan = think(made)
    (action,) = of_kind(plan, Count)
    assert len(action.samples) == SAMPLES_MAX
    assert len([one for one in plan.alarms if one.due_s == NOW.mono_s + 0.1]) == 10

    made.busy.enter(("tally", "noble"), action)
    assert counts(made) == []


def written(made: World, action: Count) -> list[Op]:
    """Return what counts the nodes of an action."""
    return node_writes.count(made, action)


def test_counts_and_launches_are_written_together() -> None:
    """So that nothing is counted twice, whoever dies when."""
    made = trying()
    view = failed(made)
    (action,) = of_kind(think(made), Count)
    set_launch, create = written(made, action)
    assert isinstance(set_launch, Set)
    assert decode_launch(view.id, set_launch.data).counted == "failed"
    assert isinstance(create, Create)
    tally = decode_tally("noble", "here", create.data)
    assert tally.of(2).launches == {"small": Counts(0, 1)}

    put(made, TALLY, create.data, version=4)
    _, again = written(made, action)
    assert isinstance(again, Set)
    assert (again.path, again.version) == (TALLY, 4)
    assert decode_tally("noble", "here", again.data).of(2).launches == {"small": Counts(0, 2)}


def test_zuuls_words_are_no_share() -> None:
    """It tells of failures alone: they count in metrics, and not here."""
    made = trying()
    view = launched(made, state=NodeState.USED, launch={"counted": "ok"})
    report = JobReport(ok=False, source=Source.ZUUL)
    sampled = Sampled(node=view.id, sample=Sample.JOB, ok=False, report=report)

    assert len(written(made, Count(image="noble", samples=(sampled,)))) == 1


def test_where_nothing_can_be_counted_life_goes_on() -> None:
    """Without a pointer, or with a tally that is closed to us, only the launch is written."""
    made = trying()
    failed(made)
    (action,) = of_kind(think(made), Count)
    made.images.take(Put(path=TALLY, stored=None, closed=True))
    assert len(written(made, action)) == 1

    made.images.take(Gone(path=TALLY))
    assert len(written(made, action)) == 2
    made.images.pointers.clear()
    assert len(written(made, action)) == 1


def test_a_tally_that_cannot_be_read_is_begun_anew() -> None:
    """At its version, and with a word to whoever reads logs."""
    images = Images(provider="here")
    with pytest.raises(CorruptRecordError):
        put_raw(images, b"[]")
    assert images.tallies["noble"].value == Tally(image="noble", provider="here")
    assert images.tallies["noble"].version == 7

    assert images.take(Put(path=paths.tally("noble", "there"), stored=None)) is None
    put_raw(images, encode_tally(Tally(image="noble", provider="here")))


def put_raw(images: Images, data: bytes) -> None:
    """Let the mirror tell of the tally."""
    made = imaged()
    made.images = images
    put(made, TALLY, data)


def test_who_loses_a_race_counts_again() -> None:
    """After a moment; and what a bug of ours interrupted, too."""
    made = trying()
    view = failed(made)
    works = Works(made)
    (action,) = of_kind(think(made), Count)
    works.results.take(Written(action=action, result=StaleWriteError(TALLY, "is newer")), NOW)
    assert view.patience.retry_s > NOW.mono_s

    know(view, retry_s=0.0)
    works.results.take(HandCrashed(action=action, why="a bug"), NOW)
    assert view.patience.retry_s > NOW.mono_s
