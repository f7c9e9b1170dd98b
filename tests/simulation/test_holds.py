"""Machines that are kept for people: a story killed after each step, storms, and mutants."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from launcher.hold import extending, granting, holding
from launcher.node import lifecycle
from launcher.node.actions import Condemn
from remuda.cloud.api import Quota
from remuda.model.launch import Launch
from tests.simulation.history import ViolationError
from tests.simulation.holders import wait_for_failures
from tests.simulation.holdrules import HoldRules
from tests.simulation.setting import HostileRates, Rates, draw
from tests.simulation.simulation import Simulation

#: After this many actions the story is over for sure.
ACTIONS_MAX: Final = 400
#: Each mutant is seen within so many storms.
SEEDS_MAX: Final = 8
TIMES: Final = 1
MOST: Final = 3
REPLICAS: Final = 2


def stage(seed: int, *, calm: bool = True, replicas: int = 1) -> Simulation:
    """Return an installation in which machines are kept."""
    drawn = draw(Random(f"holds {seed}"), calm=calm, imaged=False)  # noqa: S311 - reproducible
    document = drawn.document
    document["max-hold-age"] = 60
    document["holds"] = {
        "max": MOST,
        "default-for": 60,
        "warn-before": 5,
        "extend": {"times": TIMES, "by": 60},
    }
    for provider in document["providers"].values():
        provider["pools"]["main"] |= {"max-servers": 8, "max-cores": None}
    setting = replace(
        drawn,
        document=document,
        images=None,
        replicas={"alpha": replicas, "beta": replicas},
        quotas=dict.fromkeys(drawn.quotas, Quota()),
        rates=Rates(crash=25.0, expire=60.0, skew_s_max=0.5) if not calm else Rates(),
        hostility=HostileRates(),
        clients=0,
        crowd=0,
        chaos_s=60.0,
    )
    simulation = Simulation(seed=seed, setting=setting)
    rules = HoldRules(
        records=simulation.oracle,
        history=simulation.history,
        timetable=simulation.timetable,
        times=TIMES,
        most=MOST,
        skew_s=setting.rates.skew_s_max,
    )
    simulation.oracle.holds = rules

    def look() -> None:
        rules.look()
        simulation.timetable.after(1.0, look)

    simulation.timetable.after(1.0, look)
    return simulation


def rules_of(simulation: Simulation) -> HoldRules:
    """Return who watches."""
    assert simulation.oracle.holds is not None
    return simulation.oracle.holds


def story(*, launcher: int | None = None) -> Simulation:
    """Let two people keep their machines; the launcher dies right after its so-many-th action."""
    simulation = stage(7)
    victim = simulation.start_launcher("alpha", "alpha0")
    victim.crash_at = launcher
    simulation.start_launcher("beta", "beta0")
    simulation.calm = True  # nobody but who is told to dies, or gives up
    for number in range(2):
        wants = {"node_types": ["small"], "provider": "alpha", "reuse": True}
        client = simulation.come(1.0 + number, **wants)
        client.holder.always = True
    simulation.run_until(simulation.setting.chaos_s)
    simulation.end_storm()
    simulation.settle()
    return simulation


def test_machines_are_kept_and_gone_after_their_end() -> None:
    """Each of them once, for its owner."""
    simulation = story()
    rules = rules_of(simulation)
    assert len(rules.granted) == len(rules.kept) == 2
    assert rules.longest_s < 5.0
    assert sum(len(sky.made_keys.shown) for sky in simulation.skies.values()) == 2


# Some fifty histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(900)
def test_a_launcher_may_die_after_any_action() -> None:
    """Whatever was granted, begun or extended last, the next launcher goes on."""
    for count in range(1, ACTIONS_MAX):
        try:
            simulation = story(launcher=count)
        except ViolationError as exc:
            raise AssertionError(f"killed after action {count}: {exc}") from exc
        if simulation.incarnations["alpha0"] == 1:
            break
    assert 15 < count < ACTIONS_MAX


def storm(seed: int) -> Simulation:
    """Let many come who keep machines, rightly or not, while jobs fail and launchers die."""
    simulation = stage(seed, calm=False, replicas=REPLICAS)
    for number in range(14):
        simulation.come(3.0 * number, node_types=["small"], provider=None, reuse=True)
    for number in range(2):
        simulation.timetable.after(
            1.0, lambda number=number: wait_for_failures(simulation, number, count=2)
        )
    simulation.storm()
    return simulation


@pytest.mark.timeout(300)
def test_storms_come_to_rest() -> None:
    """Holds, autoholds and those of others beside each other."""
    kept, fired, lapsed = 0, 0, 0
    for seed in range(4):
        simulation = storm(seed)
        simulation.end_storm()
        simulation.settle()
        kept += len(rules_of(simulation).kept)
        fired += len(rules_of(simulation).fired)
        lapsed += len(rules_of(simulation).lapses)
    assert kept > 4
    assert lapsed > 0
    assert fired > 0


# -- mutants -----------------------------------------------------------------------------------


def asks_no_lock(patch: pytest.MonkeyPatch) -> None:
    """Take everybody's word that the lock of a node is theirs; the other rules stay."""
    patch.setattr(granting, "holder", lambda _: _Anybody())
    patch.setattr(lifecycle, "answer", _unproven(granting.answer))


class _Anybody:
    """Who is everybody."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        """Whoever it is."""
        return True


def _unproven(before: Callable[..., Any]) -> Callable[..., Any]:
    def answer(*words: Any) -> Any:
        made = before(*words)
        return made if made is None else replace(made, contender=None)

    return answer


def extends_for_anybody(patch: pytest.MonkeyPatch) -> None:
    """Give everybody more time."""
    patch.setattr(extending, "_refusal", lambda *_, **__: None)


def ends_early(patch: pytest.MonkeyPatch) -> None:
    """Let holds go before their end."""

    def hold(_world: Any, view: Any, *_: Any) -> Any:
        return None if view.locked else Condemn(node=view.id, cause="its hold is over")

    patch.setattr(lifecycle, "hold", hold)


def never_ends(patch: pytest.MonkeyPatch) -> None:
    """Keep what is over."""
    before = holding.hold

    def hold(*words: Any) -> Any:
        found = before(*words)
        return None if isinstance(found, Condemn) else found

    patch.setattr(lifecycle, "hold", hold)


def waits_for_every_lock(patch: pytest.MonkeyPatch) -> None:
    """Keep what is over as long as somebody has its lock."""
    before = holding.hold

    def hold(world: Any, view: Any, *words: Any) -> Any:
        return None if view.locked else before(world, view, *words)

    patch.setattr(lifecycle, "hold", hold)


def forgets_the_new_key(patch: pytest.MonkeyPatch) -> None:
    """Believe the old host key alone until the new one was met."""
    old = property(lambda launch: () if launch.host_key is None else (launch.host_key,))
    patch.setattr(Launch, "believed_keys", old)


def storms(count: int) -> None:
    """Run so many, each to its rest."""
    for seed in range(count):
        simulation = storm(seed)
        simulation.end_storm()
        simulation.settle()


MUTANTS: Final[tuple[tuple[Callable[[pytest.MonkeyPatch], None], str], ...]] = (
    (asks_no_lock, "for who has not its lock"),
    (extends_for_anybody, "was extended"),
    (ends_early, "ended before its time"),
    (never_ends, "after its end"),
    (waits_for_every_lock, "after its end|is hold"),
    (forgets_the_new_key, "nobody gets in"),
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
        storms(SEEDS_MAX)
