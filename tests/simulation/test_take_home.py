"""Held machines that are taken home: a story killed after each step, storms, and mutants."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from builder.takehome import hand_end, hand_make, lifecycle
from launcher.node.actions import Condemn
from launcher.takehome import taking
from remuda.config.takehomes import SnapshotRules
from remuda.model.takehome import TakeHomeState
from tests.fakes.glance import FakeGlance, Snapshot
from tests.fakes.image_store import FakeImages
from tests.simulation.goers import MOST_S, Goers
from tests.simulation.history import ViolationError
from tests.simulation.homerules import HomeRules
from tests.simulation.simulation import Simulation
from tests.simulation.taker import Taker
from tests.simulation.test_holds import stage

#: After this many actions the story is over for sure.
ACTIONS_MAX: Final = 400
#: Each mutant is seen within so many storms.
SEEDS_MAX: Final = 8
#: What a cloud may refuse, and what becomes of snapshots that it takes.
REFUSED: Final = ("stop_server", "snapshot", "edit_image", "start_server", "delete_image")
FATES: Final = tuple(one for one in Snapshot if one not in {Snapshot.OK, Snapshot.HANGS})


def homes(seed: int, *, calm: bool = True, replicas: int = 1) -> tuple[Simulation, Taker]:
    """Return an installation in which machines are taken home, and its builder."""
    simulation = stage(seed, calm=calm, replicas=replicas)
    simulation.document["holds"]["snapshots"] = {"max-age": MOST_S}
    images = {name: FakeImages(sky.cloud, FakeGlance()) for name, sky in simulation.skies.items()}
    rules = HomeRules(
        records=simulation.oracle,
        history=simulation.history,
        timetable=simulation.timetable,
        images=images,
        most_s=MOST_S,
    )
    simulation.oracle.homes = rules
    assert simulation.oracle.holds is not None
    simulation.oracle.holds.waits = rules.making
    taker = Taker(simulation, rules, images)
    if not calm:
        taker.fail, taker.crash = 0.03, 0.02
        rng = simulation.random("snapshots")
        for one in images.values():
            one.glance.next_snapshots.extend(rng.choices((Snapshot.OK, *FATES), k=20))
    simulation.timetable.after(1.0, taker.begin)

    def look() -> None:
        rules.look(calm=simulation.calm)
        simulation.timetable.after(1.0, look)

    simulation.timetable.after(1.0, look)
    return simulation, taker


def rules_of(simulation: Simulation) -> HomeRules:
    """Return who watches."""
    assert simulation.oracle.homes is not None
    return simulation.oracle.homes


def story(
    *, builder: int | None = None, launcher: int | None = None, refused: str = ""
) -> tuple[Simulation, Taker]:
    """Let one person take a machine home; who is named dies right after its so-many-th action."""
    simulation, taker = homes(7)
    taker.crash_at = builder
    taker.refusals = [refused] if refused else []
    victim = simulation.start_launcher("alpha", "alpha0")
    victim.crash_at = launcher
    simulation.start_launcher("beta", "beta0")
    simulation.calm = True
    client = simulation.come(1.0, node_types=["small"], provider="alpha", reuse=True)
    client.holder.always = True
    goers = Goers(simulation, rules_of(simulation), always=True)
    simulation.timetable.after(1.0, goers.begin)
    simulation.run_until(simulation.setting.chaos_s)
    simulation.end_storm()
    simulation.settle()
    return simulation, taker


def test_a_machine_becomes_an_image_and_the_image_ends() -> None:
    """Its quota is free at once; it is kept for longer once, and is gone in the end."""
    simulation, taker = story()
    rules = rules_of(simulation)
    assert len(rules.whole) == 1
    assert not rules.failed
    assert rules.longest_s < 5.0
    assert taker.incarnation == 1
    (wished,) = rules.wished.values()
    assert [one.token is not None for one in wished] == [True]


# Some forty histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("refused", ["", "snapshot"])
def test_a_builder_may_die_after_any_action(refused: str) -> None:
    """Whatever it did last, the next one goes on: an image, or a hold as it was."""
    for count in range(1, ACTIONS_MAX):
        try:
            simulation, taker = story(builder=count, refused=refused)
        except ViolationError as exc:
            raise AssertionError(f"killed after action {count}: {exc}") from exc
        rules = rules_of(simulation)
        assert rules.whole or rules.failed
        if taker.incarnation == 1:
            break
    assert 10 < count < ACTIONS_MAX


@pytest.mark.timeout(900)
def test_a_launcher_may_die_after_any_action() -> None:
    """What it has granted or begun, the next one goes on with."""
    for count in range(1, ACTIONS_MAX):
        try:
            simulation, _ = story(launcher=count)
        except ViolationError as exc:
            raise AssertionError(f"killed after action {count}: {exc}") from exc
        if simulation.incarnations["alpha0"] == 1:
            break
    assert 15 < count < ACTIONS_MAX


@pytest.mark.timeout(300)
@pytest.mark.parametrize("refused", REFUSED)
def test_whatever_the_cloud_refuses_once_nothing_is_lost_or_left(refused: str) -> None:
    """An image in the end, or a hold as it was."""
    simulation, _ = story(refused=refused)
    rules = rules_of(simulation)
    assert rules.whole or rules.failed


def storm(seed: int) -> Simulation:
    """Let many take machines home while clouds refuse, builders and launchers die."""
    simulation, _ = homes(seed, calm=False, replicas=2)
    for number in range(14):
        simulation.come(3.0 * number, node_types=["small"], provider=None, reuse=True)
    goers = Goers(simulation, rules_of(simulation))
    simulation.timetable.after(1.0, goers.begin)
    simulation.storm()
    return simulation


def storms(first: int, count: int) -> tuple[int, int]:
    """Run so many, each to its rest; return how many images there were, and how many not."""
    whole, failed = 0, 0
    for seed in range(first, first + count):
        simulation = storm(seed)
        simulation.end_storm()
        simulation.settle()
        whole += len(rules_of(simulation).whole)
        failed += len(rules_of(simulation).failed)
    return whole, failed


@pytest.mark.timeout(300)
def test_storms_come_to_rest() -> None:
    """Images are there until their end, and then they are not."""
    whole, failed = storms(0, 4)
    assert whole > 2
    assert failed > 0


# -- mutants -----------------------------------------------------------------------------------


def ends_early(patch: pytest.MonkeyPatch) -> None:
    """Delete images as soon as they are whole."""
    patch.setattr(lifecycle, "over", lambda _view, one: one.state is TakeHomeState.WHOLE)
    patch.setattr(hand_end, "_wished", lambda *_: True)


def forgets_images(patch: pytest.MonkeyPatch) -> None:
    """Remove the record, and leave the image."""
    patch.setattr(hand_end.EndingHand, "_erase", lambda *_: None)


def lets_go_early(patch: pytest.MonkeyPatch) -> None:
    """End the machine once a builder is at it."""
    before = taking._follow

    def follow(view: Any, launch: Any, known: Any, granted: Any) -> Any:
        if known.state is TakeHomeState.MAKING and known.quiet:
            return Condemn(node=view.id, cause="its hold goes on as an image")
        return before(view, launch, known, granted)

    patch.setattr(taking, "_follow", follow)


def leaves_machines_stopped(patch: pytest.MonkeyPatch) -> None:
    """Start no machine again of which there is no image."""
    anew = {"quiet": False, "quieting_s": None, "trouble": None}
    patch.setattr(hand_make.Taking, "_started_anew", lambda _: anew)


def knows_no_maximum(patch: pytest.MonkeyPatch) -> None:
    """Keep images for as long as anybody wishes."""
    patch.setattr(
        SnapshotRules, "longer", lambda _rules, one, wish, **_: (one.ends_s + wish.for_s, None)
    )


MUTANTS: Final[tuple[tuple[Callable[[pytest.MonkeyPatch], None], str], ...]] = (
    (ends_early, "deleted before its end"),
    (forgets_images, "has leaked"),
    (lets_go_early, "ended before its time"),
    (leaves_machines_stopped, "its machine is stopped"),
    (knows_no_maximum, "beyond the maximum"),
)


# Its limit only ends what hangs.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("mutate", "told"), MUTANTS, ids=[one.__name__ for one, _ in MUTANTS])
def test_the_oracle_sees_what_must_not_happen(
    mutate: Callable[[pytest.MonkeyPatch], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule is broken by a mutant, within a few storms."""
    mutate(monkeypatch)
    with pytest.raises(ViolationError, match=told):
        storms(0, SEEDS_MAX)
