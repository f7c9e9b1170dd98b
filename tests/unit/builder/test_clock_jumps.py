"""The clock of a builder's host jumps, forward or back: no storm of builds, and none is lost."""

from typing import Any, Final

import pytest

from builder.build.outcome import unmade
from builder.build.tasks import MakeTask
from remuda.model.build import Blame, BuildState, Mishap, encode_build
from remuda.store.api import Set
from tests.fakes.clock import ManualClock
from tests.unit.builder.bench import Bench, config

DAY_S = 86400.0
#: Builds within half an hour, when each fails: after 5, 10, 20 minutes, and one for the jump.
PACE: Final = 4
SCHEDULE: Final = {"schedule": {"max-age": 7 * DAY_S}}


class JumpingClock(ManualClock):
    """A clock whose wall time may be set, as operators and NTP do.

    Attributes:
        jumped_s: By how much.
    """

    jumped_s: float = 0.0

    def now_s(self) -> float:
        """Return the wall clock."""
        return super().now_s() + self.jumped_s


def begun(bench: Bench) -> int:
    """Return how many builds have begun since the start."""
    return bench.log.count("build.begun")


def fail(bench: Bench) -> None:
    """Let each build fail by its recipe, as soon as its hand begins."""

    def do(order: Any) -> None:
        if isinstance(order, MakeTask):
            build, mishap = order.build, Mishap(step="fill", blame=Blame.RECIPE, message="no")
            after = unmade(build.value, mishap, order.policy, now_s=bench.clock.now_s())
            write = Set(path=build.path, data=encode_build(after), version=build.version)
            bench.store.commit([write])

    bench.hands.do = do


@pytest.mark.parametrize("days", [1, -1, 30, -30, 10_000, -10_000])
def test_a_jump_of_the_clock_is_no_storm_of_builds(days: float) -> None:
    """Each fails at once, so that nothing but the judgement holds back the next one."""
    clock = JumpingClock(1_700_000_000.0)
    bench = Bench(config(a=SCHEDULE), clock=clock)
    bench.launchers("p", "q")
    fail(bench)
    bench.pass_s(1800, 10.0)
    before = begun(bench)
    assert 2 <= before <= PACE

    clock.jumped_s = days * DAY_S
    bench.pass_s(1800, 10.0)
    after = begun(bench)
    assert after - before <= PACE, "as before the jump, with one at once perhaps"
    clock.jumped_s = 0.0
    bench.pass_s(1800, 10.0)
    assert begun(bench) - after <= PACE
    bench.pass_s(6 * 3600, 60.0)
    assert begun(bench) > after, "nor does it wait for ever"


@pytest.mark.parametrize("days", [1, -1, 30, -30])
def test_a_jump_does_not_begin_what_is_under_way_again(days: float) -> None:
    """The hand refuses all the time, and is asked ever more seldom."""
    clock = JumpingClock(1_700_000_000.0)
    bench = Bench(config(a=SCHEDULE), clock=clock)
    bench.launchers("p", "q")
    bench.pass_s(10)
    clock.jumped_s = days * DAY_S
    bench.pass_s(600, 10.0)
    clock.jumped_s = 0.0
    bench.pass_s(600, 10.0)

    assert begun(bench) == 1
    assert len([one for one in bench.hands.orders if isinstance(one, MakeTask)]) < 12
    assert bench.build("a", 1).state is BuildState.BUILDING
