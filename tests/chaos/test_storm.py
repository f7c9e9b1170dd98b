"""Random storms: everything at once, from a seed, for as long as one likes."""

import time

import pytest

from tests.chaos.stage import LATER_S, MINUTES, SEED, ChaosStage
from tests.chaos.storm import PROVIDERS, Storm
from tests.chaos.users import all_go, at_work, come

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk, pytest.mark.chaos]

_LIMIT = 4
#: So many faults in the short form; every kind once.
_STRIKES = 7
_ROOM = {"instances": 50, "cores": 100, "ram": 200000}


def _rage(chaos: ChaosStage, seed: int, minutes: float) -> None:
    for cloud, provider in zip("ab", PROVIDERS, strict=True):
        chaos.cloud(cloud, boot_seconds=0.3, quota=_ROOM)
        chaos.provider(
            provider,
            cloud,
            pool={"max_servers": _LIMIT},
            api_timeout=5,
            launch_timeout=60,
            launch_attempts=20,
            idle_list_period=1,
        )
    chaos.label("small", min_ready=1)
    storm = Storm(chaos, seed)
    storm.begin()
    keepers = come(chaos.client(session_s=120.0), 1)
    chaos.until(lambda: len(at_work(keepers)) == 1, "somebody who keeps a machine", LATER_S)
    end_s, strikes = time.monotonic() + minutes * 60, 0
    while strikes < _STRIKES or time.monotonic() < end_s:
        storm.strike(strikes)
        strikes += 1
    trouble = storm.end() + all_go(keepers, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged(explained_after_s=60.0)
    told = "\n".join([f"seed {seed}:", *storm.told])
    (chaos.folder / "told").write_text(told)

    assert trouble == [], told
    assert not verdict.breaches, f"{told}\n{verdict}"
    assert storm.jobs() > strikes


@pytest.mark.skipif(MINUTES > 0, reason="the long one does it")
@pytest.mark.timeout(600)
def test_a_short_storm(chaos: ChaosStage) -> None:
    """Every kind of fault once."""
    _rage(chaos, 1, 0.0)


@pytest.mark.skipif(MINUTES == 0, reason="long: make chaos")
@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_long_storm(chaos: ChaosStage) -> None:
    """For REMUDA_CHAOS_MINUTES, from REMUDA_SEED."""
    _rage(chaos, SEED, MINUTES)
