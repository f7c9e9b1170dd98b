"""What a builder tells of images."""

from dataclasses import replace

import pytest

from builder.build.actions import Make
from builder.build.tasks import MakeTask
from builder.takehome.actions import MakeTakeHome
from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.sink import Metrics
from remuda.model.build import Blame, Build, BuildEvent, Mishap, encode_build
from remuda.model.builderstatus import decode_builder
from remuda.model.holdwish import SnapshotWish
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import UploadId
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.takehome import TakeHome, TakeHomeState, encode_take_home
from remuda.model.upload import Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.unit.builder.bench import HERE, Bench, config
from tests.unit.metrics.test_sink import value


def scene() -> tuple[Bench, PrometheusBackend]:
    """Return a builder that has taken the first build of the image a, and its metrics."""
    prometheus = PrometheusBackend()
    bench = Bench(config(a={}), metrics=Metrics([prometheus]))
    bench.launchers("p")
    bench.held = (Make,)
    bench.go()
    return bench, prometheus


def end(bench: Bench, event: BuildEvent, blame: Blame | None = None) -> Build:
    """Let the hand end the build after ten minutes."""
    mishap = None if blame is None else Mishap(step="x", blame=blame, message="why")
    bench.clock.advance(600.0)

    def write(order: MakeTask) -> None:
        stored, now_s = order.build, bench.clock.now_s()
        after = stored.value.after(event, now_s=now_s, mishap=mishap, owner=None)
        data = encode_build(replace(after, retry_s=now_s + 3600.0))
        bench.store.commit([Set(path=stored.path, data=data, version=stored.version)])

    bench.hands.do = write
    bench.held = ()
    bench.go()
    return bench.build("a", 1)


@pytest.mark.parametrize(
    ("event", "result"),
    [
        (BuildEvent.FAILED, "failed.recipe"),
        (BuildEvent.LOST, "lost.recipe"),
        (BuildEvent.FOUND_SAME, "same"),
    ],
)
def test_a_build_is_counted_when_it_ends_or_begins_anew(event: BuildEvent, result: str) -> None:
    """Once, with whose fault it was, and how long it took."""
    bench, prometheus = scene()
    end(bench, event, Blame.RECIPE)
    labels = {"image": "a", "provider": "p", "result": result}

    assert value(prometheus, "remuda_image_builds_total", **labels) == 1
    assert value(prometheus, "remuda_image_build_seconds_sum", **labels) == 600
    assert bench.log.count("build.ended") == 1


def test_only_who_wrote_it_counts_a_build() -> None:
    """All builders see all records."""
    bench, prometheus = scene()
    build = replace(bench.build("a", 1), owner=None)
    failed = build.after(BuildEvent.FAILED, now_s=1.0)
    other = bench.zookeeper.connect()
    other.commit([Set(path=paths.build(build.id), data=encode_build(failed), version=-1)])
    bench.go()

    labels = {"image": "a", "provider": "p", "result": "failed"}
    assert value(prometheus, "remuda_image_builds_total", **labels) is None


def test_gauges_tell_what_is_booted_and_what_there_is() -> None:
    """Age, generation, uploads by state, alarms."""
    bench, prometheus = scene()
    upload = Upload(
        id=UploadId(bench.build("a", 1).id, HERE), state=UploadState.USABLE, since_s=1.0
    )
    pointer = Pointer(image="a", provider="p", place=HERE, current=1, generation=4)
    bench.zookeeper.connect().commit(
        [
            Create(path=paths.upload(upload.id), data=encode_upload(upload)),
            Create(path=paths.pointer("a", "p"), data=encode_pointer(pointer)),
        ]
    )
    bench.clock.advance(100.0)
    bench.go()

    where = {"image": "a", "provider": "p"}
    assert value(prometheus, "remuda_image_age", **where) == 100
    assert value(prometheus, "remuda_image_pointer_generation", **where) == 4
    assert value(prometheus, "remuda_image_uploads", image="a", state="usable") == 1
    assert value(prometheus, "remuda_image_alarms", image="a") == 0
    assert value(prometheus, "remuda_image_age_limit", image="a") is None

    again = replace(bench.build("a", 1), renewed_s=bench.clock.now_s() - 5.0)
    write = Set(path=paths.build(again.id), data=encode_build(again), version=-1)
    bench.zookeeper.connect().commit([write])
    bench.clock.advance(60.0)
    bench.go()
    assert value(prometheus, "remuda_image_age", **where) == 65


def test_a_date_that_is_ahead_is_no_age_of_zero() -> None:
    """It would look new for years; below zero it shows that the date is wrong."""
    bench, prometheus = scene()
    ahead = replace(bench.build("a", 1), requested_s=bench.clock.now_s() + 1e6)
    store = bench.zookeeper.connect()
    store.commit([Set(path=paths.build(ahead.id), data=encode_build(ahead), version=-1)])
    pointer = Pointer(image="a", provider="p", place=HERE, current=1, generation=1)
    store.commit([Create(path=paths.pointer("a", "p"), data=encode_pointer(pointer))])
    bench.clock.advance(100.0)
    bench.go()

    assert (value(prometheus, "remuda_image_age", image="a", provider="p") or 0.0) < -9e5


def test_how_old_what_is_booted_may_be_is_told() -> None:
    """By the recipe; so that an alert needs no number of its own."""
    prometheus = PrometheusBackend()
    bench = Bench(config(a={"freshness": "2d"}), metrics=Metrics([prometheus]))
    bench.go()

    assert value(prometheus, "remuda_image_age_limit", image="a") == 2 * 86400


def test_the_ephemeral_says_which_providers_an_image_has() -> None:
    """So that people see what is not configured any more."""
    bench, _ = scene()
    bench.go()
    (name,) = bench.store.children(paths.BUILDERS)
    stored = bench.store.read(paths.builder(ReplicaId(name)))

    assert stored is not None
    assert decode_builder(ReplicaId(name), stored.value).providers == {"a": ("p",)}


@pytest.mark.parametrize(
    ("state", "trouble", "result"),
    [
        (TakeHomeState.WHOLE, None, "whole"),
        (TakeHomeState.WHOLE, "it is not shared: no", "unshared"),
        (TakeHomeState.FAILED, None, "failed"),
    ],
)
def test_an_image_of_a_held_machine_is_counted_by_who_wrote_it(
    state: TakeHomeState, trouble: str | None, result: str
) -> None:
    """Once, however often it is written afterwards."""
    bench, prometheus = scene()
    bench.held = (Make, MakeTakeHome)
    others = bench.zookeeper.connect()
    for node, store in (("3000000001", bench.store), ("3000000002", others)):
        one = TakeHome(
            node=NodeId(node),
            state=TakeHomeState.MAKING,
            wish=SnapshotWish(token="s1", share_with=None, public=False, for_s=60.0),
            provider="p",
            pool="main",
            label="small",
        )
        path = paths.take_home(one.node)
        others.commit([Create(path=path, data=encode_take_home(one))])
        bench.go()
        ended = replace(one, state=state, trouble=trouble, since_s=bench.clock.now_s())
        for after in (ended, replace(ended, reason="once more")):
            store.commit([Set(path=path, data=encode_take_home(after), version=-1)])
            bench.go()
    labels = {"provider": "p", "result": result}
    assert value(prometheus, "remuda_take_homes_total", **labels) == 1
