"""The brain of a builder: what it begins, what it does not begin again, and when hands are told."""

from dataclasses import replace
from typing import Any

import pytest

from builder.build.actions import Make
from builder.build.tasks import AdoptTask, MakeTask
from builder.delays import DELAY_S, DELAY_S_MAX
from builder.lanes import LANE_SIZES, Lane
from builder.place.actions import Look
from builder.place.tasks import SweepTask
from builder.place.view import ListedImage
from remuda.model.build import BuildState, Revocation, encode_build
from remuda.model.builderstatus import decode_builder
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, decode_image, encode_image
from remuda.store import paths
from remuda.store.api import Delete, Set
from tests.unit.builder.bench import HERE, Bench, config
from tests.unit.builder.judging import WORD


def ready(**images: dict[str, object]) -> Bench:
    """Return a builder of the image a, at work, with a launcher in each provider."""
    bench = Bench(config(**images or {"a": {}}))
    bench.launchers("p", "q")
    return bench


def makes(bench: Bench) -> list[MakeTask]:
    """Return what the making hand was told."""
    return [one for one in bench.hands.orders if isinstance(one, MakeTask)]


def test_a_new_image_gets_its_znodes_and_a_build() -> None:
    """From an empty ZooKeeper to a hand at work on the first build."""
    bench = ready()
    bench.held = (Make,)
    bench.go()

    image = bench.store.read(paths.image("a"))
    assert image is not None
    assert decode_image("a", image.value).last_build == 1
    assert bench.store.read(paths.pointers("a")) is not None
    build = bench.build("a", 1)
    assert (build.state, build.owner, build.provider) == (BuildState.BUILDING, "me", "p")
    assert [type(action) for action, _ in bench.workers.orders] == [Make]
    bench.pass_s(1.0)
    assert "a/1" in bench.worker.status()["under_way"]


def test_what_was_removed_of_an_image_is_made_again() -> None:
    """Somebody's mistake does not stop an image for ever."""
    bench = ready(a={"paused": True})
    bench.go()
    bench.store.commit([Delete(path=paths.pointers("a"))])
    bench.go()

    assert bench.store.read(paths.pointers("a")) is not None


def test_an_image_whose_folders_only_are_there_gets_its_record() -> None:
    """As a command may leave it that was quicker than any builder."""
    bench = Bench(config(a={"paused": True}))
    bench.store.ensure(paths.builds("a"))
    bench.go()

    image = bench.store.read(paths.image("a"))
    assert image is not None
    assert decode_image("a", image.value).last_build == 0
    assert bench.known.records.unreadable == set()


def test_a_hand_that_refuses_is_not_asked_in_circles() -> None:
    """The oracle of the whole: each wait is longer, as long as nothing has changed."""
    bench = ready()
    bench.go()
    begun = len(makes(bench))
    assert begun == 1

    bench.pass_s(DELAY_S + 1)
    assert len(makes(bench)) == 2
    bench.pass_s(2 * DELAY_S)
    assert len(makes(bench)) == 3
    bench.pass_s(3600.0, step_s=5.0)
    # Doubling from half a minute to ten: within the hour hardly more than one in ten minutes.
    assert len(makes(bench)) <= 3 + 4 + 3600.0 / DELAY_S_MAX
    turns = bench.turns
    bench.go()
    assert bench.turns - turns <= 3


def test_a_hand_is_asked_at_once_when_its_record_has_changed() -> None:
    """It is another question then."""
    bench = ready()
    bench.go()
    build = bench.build("a", 1)
    data = encode_build(replace(build, attempt=build.attempt + 1))
    bench.store.commit([Set(path=paths.build(build.id), data=data, version=-1)])
    bench.go()

    assert len(makes(bench)) == 2


def test_a_hand_is_told_when_its_build_was_taken_over() -> None:
    """So that it lets go of the machine, and writes nothing."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    ((_, work),) = bench.workers.orders
    work()
    (order,) = makes(bench)
    assert not order.stop.is_set()

    taken = replace(bench.build("a", 1), owner=ReplicaId("another"))
    bench.store.commit([Set(path=paths.build(taken.id), data=encode_build(taken), version=-1)])
    bench.go()

    assert order.stop.is_set()


@pytest.mark.parametrize("why", [{"unwanted": WORD}, {"revoked": Revocation(word=WORD)}])
def test_a_hand_is_told_when_nobody_wants_its_build(why: dict[str, Any]) -> None:
    """And the build ends, instead of being made again."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    ((_, work),) = bench.workers.orders
    work()
    (order,) = makes(bench)

    after = replace(bench.build("a", 1), **why)
    bench.store.commit([Set(path=paths.build(after.id), data=encode_build(after), version=-1)])
    bench.go()
    assert order.stop.is_set()

    bench.held = ()
    bench.go()
    ended = bench.build("a", 1)
    assert ended.mishap is not None
    assert "ada" in ended.mishap.message
    assert ended.owner is None


@pytest.mark.parametrize("how", ["session", "end"])
def test_all_hands_are_told_when_the_session_is_lost_or_the_process_ends(how: str) -> None:
    """Their machines are gone, or go."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    ((_, work),) = bench.workers.orders
    work()
    (order,) = makes(bench)

    if how == "session":
        bench.store.suspend()
        bench.store.expire()
        bench.turn()
    else:
        bench.worker.stop()

    assert order.stop.is_set()


def test_a_builder_is_there_again_after_a_lost_session() -> None:
    """With its words, which went with the old ephemeral."""
    bench = ready(a={"paused": True})
    bench.go()
    bench.store.suspend()
    bench.store.expire()
    bench.pass_s(3.0)

    found = bench.store.read(paths.builder(ReplicaId("me")))
    assert found is not None
    assert decode_builder(ReplicaId("me"), found.value).waits["a"] == "paused in the configuration"


def test_what_waits_is_told_in_our_ephemeral() -> None:
    """For `remuda image list`, which asks no builder."""
    bench = Bench(config(a={}))  # no launcher lives
    bench.go()
    bench.pass_s(3.0)

    found = bench.store.read(paths.builder(ReplicaId("me")))
    assert found is not None
    waits = decode_builder(ReplicaId("me"), found.value).waits
    assert waits["provider p"] == "no launcher of p is running"
    assert waits["a/1"] == "p: no launcher of p is running"


def test_words_are_written_at_most_every_two_seconds() -> None:
    """Whatever happens in between."""
    bench = ready(a={"paused": True})
    bench.go()
    before = bench.store.read(paths.builder(ReplicaId("me")))
    for number in range(10):
        bench.status("p", f"trouble {number}")
        bench.clock.advance(0.1)
        bench.go()
    after = bench.store.read(paths.builder(ReplicaId("me")))

    assert before is not None
    assert after is not None
    assert after.version - before.version <= 1


def test_two_builders_share_the_images() -> None:
    """Each image is begun once; both have some of them."""
    names = {f"i{number}": {} for number in range(12)}
    one = ready(**names)
    two = Bench(config(**names), zookeeper=one.zookeeper, clock=one.clock, name="you")
    for bench in (one, two):
        bench.held = (Make,)
    for _ in range(12):
        one.turn()
        two.turn()
        one.work()
        two.work()

    owners = {str(one.build(name, 1).owner) for name in names}
    assert owners == {"me", "you"}
    assert len(one.workers.orders) + len(two.workers.orders) == len(names)


def test_the_builds_of_a_dead_builder_begin_anew() -> None:
    """At once: nothing but its session has to be waited for."""
    one = ready()
    one.held = (Make,)
    one.go()
    two = Bench(config(a={}), zookeeper=one.zookeeper, clock=one.clock, name="you")
    two.held = (Make,)
    two.go()
    assert one.build("a", 1).owner == "me"

    one.store.close()
    two.go()
    build = two.build("a", 1)
    assert (build.state, build.owner, build.attempt) == (BuildState.BUILDING, "you", 1)


def test_a_builder_takes_no_more_than_it_has_hands_for() -> None:
    """The others stay where any builder can take them."""
    bench = ready(**{f"i{number:02}": {} for number in range(20)})
    bench.held = (Make,)
    bench.go(200)
    bench.pass_s(1.0)

    states = [bench.build(f"i{number:02}", 1).state for number in range(20)]
    assert states.count(BuildState.BUILDING) == 16
    assert "this builder has its hands full" in bench.worker.status()["waits"].values()


def test_a_provider_without_room_leaves_hands_for_the_others() -> None:
    """What waits for its machines has its share of the hands; what has a machine counts no more."""
    full = {f"a{number:02}": {} for number in range(20)}
    bench = ready(**full, z={"providers": {"q": {}}})
    bench.held = (Make,)
    bench.go(200)
    bench.pass_s(1.0)

    def making() -> list[str]:
        return [one for one in (*full, "z") if bench.build(one, 1).state is BuildState.BUILDING]

    assert len(making()) == LANE_SIZES[Lane.MAKE] // 2 + 1
    assert "z" in making()
    waits = bench.worker.status()["waits"].values()
    assert "this builder waits already for as many machines as it may, in p" in waits

    has_one = replace(bench.build(making()[0], 1), node=NodeId("3000000001"))
    data = encode_build(has_one)
    bench.store.commit([Set(path=paths.build(has_one.id), data=data, version=-1)])
    bench.go(200)
    assert len(making()) == LANE_SIZES[Lane.MAKE] // 2 + 2


def test_a_reload_makes_what_is_new_and_lets_what_runs_go_on() -> None:
    """A running build has the recipe that it began with; a new image begins."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    new = config(a={"base": "other"}, b={})
    bench.worker.reconfigure(new)
    bench.worker.note_config(None)
    bench.go()

    assert bench.build("a", 1).state is BuildState.BUILDING
    assert bench.build("b", 1).state is BuildState.BUILDING
    bench.held = ()
    bench.go()
    by_image = {one.recipe.name: one for one in makes(bench)}
    assert by_image["a"].recipe.makings["p"].base.name == "debian"
    assert by_image["a"].policy.fingerprint == bench.build("a", 1).fingerprint


def test_a_build_whose_recipe_changed_before_its_hand_began_is_given_back() -> None:
    """Nothing is made under the name of a recipe that it was not made by."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    bench.workers.orders = []
    bench.known.build_recipes.begun.clear()
    for subject in list(bench.known.busy):
        bench.known.busy.give_up(subject)
    bench.worker.reconfigure(config(a={"base": "other"}))
    bench.go()

    build = bench.build("a", 1)
    assert build.state is BuildState.SUPERSEDED
    assert bench.build("a", 2).state is BuildState.BUILDING


def test_images_without_a_record_are_swept_after_two_listings() -> None:
    """With what both of them say; and not in circles if they stay."""
    bench = ready(a={"paused": True})
    lost = ListedImage(id="i1", name="x", build=BuildId("gone", 7), active=True)
    bench.hands.images[HERE] = {"i1": lost}
    bench.go()
    assert bench.hands.orders == []

    bench.pass_s(61.0, step_s=5.0)
    (order,) = bench.hands.orders
    assert isinstance(order, SweepTask)
    assert (order.image, order.provider) == (lost, "p")
    bench.pass_s(60.0)
    assert len(bench.hands.orders) <= 3


def test_more_providers_than_threads_are_all_looked_at() -> None:
    """What was refused because all hands were full is begun as soon as one is free."""
    names = tuple(f"p{number:02}" for number in range(12))
    bench = Bench(config(names, a={"providers": {name: {} for name in names}, "paused": True}))
    bench.held = (Look,)
    bench.go()
    assert len(bench.workers.orders) == LANE_SIZES[Lane.LOOK]
    turns = bench.turns
    bench.pass_s(10.0)
    assert bench.turns - turns < 60

    bench.held = ()
    bench.pass_s(5.0)
    assert set(bench.known.places.seen) == set(names)
    assert len(bench.known.places.listings) == len(names)


def test_listings_come_sooner_while_a_decision_waits_for_them() -> None:
    """A snapshot of a dead builder is found within seconds."""
    bench = ready()
    bench.held = (Make,)
    bench.go()
    build = replace(
        bench.build("a", 1),
        state=BuildState.SNAPSHOTTING,
        owner=ReplicaId("dead"),
        cloud_name="remuda-a-1",
        since_s=bench.clock.now_s(),
    )
    bench.workers.orders = []
    for subject in list(bench.known.busy):
        bench.known.busy.give_up(subject)
    found = ListedImage(id="i1", name="remuda-a-1", build=build.id, active=True)
    bench.hands.images[HERE] = {"i1": found}
    bench.store.commit([Set(path=paths.build(build.id), data=encode_build(build), version=-1)])
    bench.pass_s(12.0)

    assert isinstance(bench.hands.orders[-1], AdoptTask)
    assert bench.hands.orders[-1].action.snapshot == "i1"
    assert bench.hands.orders[-1].provider == "p"
    bench.pass_s(12.0)
    assert sum(isinstance(one, AdoptTask) for one in bench.hands.orders) <= 3  # it waits


def test_the_log_of_a_build_goes_before_its_record() -> None:
    """Nobody would find it afterwards."""
    bench = ready(a={"paused": True})
    bench.go()
    image = bench.store.read(paths.image("a"))
    assert image is not None
    record = replace(decode_image("a", image.value), last_build=1)
    bench.store.ensure(paths.build(BuildId("a", 1)))
    first = ready()
    first.held = (Make,)
    first.go()
    failed = replace(
        first.build("a", 1), state=BuildState.RETIRING, owner=None, since_s=1.0, place=HERE
    )
    path = paths.build(failed.id)
    bench.store.commit(
        [
            Set(path=paths.image("a"), data=encode_image(record), version=-1),
            Set(path=path, data=encode_build(failed), version=-1),
        ]
    )
    bench.pass_s(20.0)

    assert bench.hands.erased == [BuildId("a", 1)]
    assert bench.store.read(path) is None
