"""A few seeds of the simulation in every test run; many more with ``make simulation``."""

import os
import random

import pytest

from tests.simulation.history import ViolationError
from tests.simulation.setting import draw
from tests.simulation.simulation import Simulation

#: One test runs so many seeds: a failure names the seed and tells the last events.
SEEDS_PER_TEST = 10
SEEDS = int(os.environ.get("REMUDA_SEEDS", "60"))
LINES = 60


def run(seed: int) -> Simulation:
    """Run one seed, and fail with what happened last."""
    setting = draw(random.Random(f"setting {seed}"))  # noqa: S311 - reproducible, not secret
    simulation = Simulation(seed=seed, setting=setting)
    try:
        simulation.run()
    except ViolationError as exc:
        last = "\n".join(list(simulation.history.lines)[-LINES:])
        again = f"PYTHONHASHSEED=0 python -m tests.simulation --seed {seed}"
        pytest.fail(f"seed {seed}: {exc}\n{last}\nAgain: {again}", pytrace=False)
    return simulation


@pytest.mark.parametrize("start", range(0, SEEDS, SEEDS_PER_TEST))
def test_nothing_forbidden_happens_and_everything_comes_to_rest(start: int) -> None:
    """Whatever the seed does: safety at every step, and order after the storm."""
    for seed in range(start, min(SEEDS, start + SEEDS_PER_TEST)):
        run(seed)


def test_the_same_seed_does_the_same_again() -> None:
    """A failure can be looked at again: all chance comes from the seed."""
    assert run(1).history.digest() == run(1).history.digest()


def test_a_launcher_whose_world_contradicts_itself_is_found_at_once() -> None:
    """Not when a judgement has believed it: after the turn in which it went wrong."""
    setting = draw(random.Random("setting 1"))  # noqa: S311 - reproducible, not secret
    simulation = Simulation(seed=1, setting=setting)
    simulation.start_all()
    simulation.run_until(5.0)
    simulation.processes[0].brain.world.nodes.coming["main", "small"] += 7

    with pytest.raises(ViolationError, match="coming of main/small: the index says"):
        simulation.run_until(65.0)
