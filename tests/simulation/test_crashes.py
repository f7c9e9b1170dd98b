"""Crash after every action: one scenario, killed after its k-th action for each k."""

from dataclasses import replace
from random import Random
from typing import Final

import pytest

from tests.simulation.history import ViolationError
from tests.simulation.setting import Rates, Setting, draw
from tests.simulation.simulation import Simulation

#: After this many actions the scenario is over for sure.
ACTIONS_MAX: Final = 400
RESTART_S: Final = 1.0


def scenario() -> Setting:
    """Return a calm installation: one launcher per provider, some users, no faults."""
    drawn = draw(Random("crashes"), calm=True)  # noqa: S311 - reproducible, not secret
    return replace(drawn, replicas={"alpha": 1, "beta": 1}, clients=3, chaos_s=40.0, rates=Rates())


def crashed_after(count: int) -> Simulation:
    """Run the scenario; the first launcher dies right after its *count*-th action."""
    simulation = Simulation(seed=7, setting=scenario())
    victim = simulation.start_launcher("alpha", "alpha0")
    victim.crash_at = count
    simulation.start_launcher("beta", "beta0")
    simulation.invite()
    simulation.run_until(simulation.setting.chaos_s)
    simulation.end_storm()
    simulation.settle()
    return simulation


# Some fifty histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(600)
def test_a_launcher_may_die_after_any_action() -> None:
    """Whatever was done last, the next launcher finds it, goes on, and leaves nothing over."""
    for count in range(1, ACTIONS_MAX):
        try:
            simulation = crashed_after(count)
        except ViolationError as exc:
            raise AssertionError(f"killed after action {count}: {exc}") from exc
        if simulation.incarnations["alpha0"] == 1:
            break
    assert 30 < count < ACTIONS_MAX
