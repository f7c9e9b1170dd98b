"""Two hundred machines at once at ten calls per second: nobody is blind, asked twice or blamed."""

from typing import cast

import pytest

from launcher.capsule.deserving import EVIDENCE_S_MAX
from remuda.cloud.api import TryLaterError
from remuda.store import paths
from tests.bench.releasing import CALLS_PER_NODE_MAX, COUNT, PERIODS_MAX
from tests.simulation.faults import Faults
from tests.simulation.load import API_TIMEOUT_S, LIST_PERIOD_S, Load, PacedWorkers
from tests.simulation.process import Process


@pytest.mark.parametrize("hanging", [0, 30], ids=["all answered", "some hang"])
def test_two_hundred_releases_blind_nobody(hanging: int) -> None:
    """Listings stay young, though deletions wait or hang, and each is asked for once."""
    load = Load(COUNT)
    load.make_all(within_s=900.0)
    began_s, calls = load.simulation.timetable.now_s(), load.cloud.calls
    before = calls["delete_server"]
    load.workers.hanging = hanging
    load.cloud.fail("delete_server", *[TryLaterError("no answer in time")] * hanging)

    load.release_all(within_s=900.0)

    assert load.workers.oldest_s(began_s) <= PERIODS_MAX * LIST_PERIOD_S
    assert calls["delete_server"] - before - hanging <= CALLS_PER_NODE_MAX * COUNT


def test_machines_that_wait_for_their_proof_are_not_blamed_for_it() -> None:
    """Two hundred proofs of a minute each in fewer lanes: longer than launch-timeout together."""
    load = Load(COUNT, provider={"launch-timeout": 120.0, "boot-timeout": 60.0})

    took_s = load.make_all(within_s=900.0)

    assert took_s > 120.0
    assert load.cloud.calls["create_server"] == COUNT


def test_consoles_that_hang_hold_up_no_deletion() -> None:
    """Twenty machines fail at once, and no console is told within the time-out of a call."""
    count = 20
    load = Load(count)
    load.workers.consoles_hang = True
    load.process.sky.spoilt_until_s = float("inf")
    load.until(lambda: load.machines() == count, within_s=60.0)
    failed = set(load.cloud.truth())
    views = load.process.brain.world.nodes.views
    load.until(lambda: any(view.end.failure for view in views.values()), within_s=90.0)

    load.until(lambda: len(failed & set(load.cloud.truth())) == 1, within_s=EVIDENCE_S_MAX + 10.0)
    load.pass_time(API_TIMEOUT_S * 2)

    kept = load.process.store.children(paths.failures("alpha"))
    assert len(kept) >= count
    assert load.cloud.calls["console_log"] < count


def test_calls_that_wait_while_their_launcher_stands_still_are_not_sent_after_that() -> None:
    """By then a twin has taken its launches over, given them up, and made others."""
    count = 8
    load = Load(count, provider={"rate": 0.5, "api-timeout": 10.0}, replicas=2)
    load.until(lambda: load.machines() == 3, within_s=60.0)
    frozen = next(one for one in load.simulation.processes if _waiting(one) >= 3)
    Faults(load.simulation).freeze_for(frozen, 200.0)
    load.pass_time(199.0)
    made = load.cloud.calls["create_server"]
    assert load.machines() == count
    assert _waiting(frozen) >= 3

    load.pass_time(60.0)

    assert (load.machines(), load.cloud.calls["create_server"]) == (count, made)
    assert _waiting(frozen) == 0


def _waiting(process: Process) -> int:
    return cast("PacedWorkers", process.brain.starter.workers).waiting
