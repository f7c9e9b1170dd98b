"""ZooKeeper without a majority, and launchers that sleep (issue 6, E5 and E6)."""

import time

import pytest

from remuda.store import paths
from tests.chaos.stage import LATER_S, MINUTES, ChaosStage
from tests.chaos.users import all_go, at_work, come

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.zk,
    pytest.mark.chaos,
    pytest.mark.timeout(300),
]

_ROOM = {"instances": 50, "cores": 100, "ram": 200000}
#: Until machines are active; ZooKeeper has to be away by then, on however busy a machine.
_BOOT_S = 15.0
_BOOT_TIMEOUT_S = 25.0


def test_machines_that_booted_during_an_outage_are_used(chaos: ChaosStage) -> None:
    """The majority is dead until the boot time-out is over; the cloud has run on."""
    cloud = chaos.cloud("a", quota=_ROOM)
    chaos.provider("alpha", "a", pool={"max_servers": 4}, boot_timeout=_BOOT_TIMEOUT_S)
    for _ in range(2):
        chaos.launcher("alpha", wait=False)
    chaos.all_at_work()
    cloud.fault("server.boot", "boot_slow", seconds=_BOOT_S)
    people = come(chaos.client(session_s=60.0), 2)
    launches = chaos.until(
        lambda: (
            len(n := chaos.records(paths.launches("alpha"))) == 2
            and all(one["step"] == "booting" for one in n.values())
            and n
        ),
        "two machines to boot",
    )
    for member in chaos.ensemble.members[:2]:
        member.kill()
    chaos.until(
        lambda: all(one.events("session.changed") for one in chaos.processes),
        "the launchers to be cut off",
    )
    unseen = cloud.state_counts().get("BUILD")
    chaos.until(
        lambda: cloud.state_counts().get("ACTIVE") == 2, "both to be active unseen", LATER_S
    )
    over_s = max(one["planned_s"] for one in launches.values()) + _BOOT_TIMEOUT_S + 1.0
    chaos.until(lambda: time.time() > over_s, "the boot time-out to be over", LATER_S)
    chaos.ensemble.heal()
    trouble = all_go(people, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged(good_boots=True)

    assert trouble == []
    assert unseen == 2
    assert not verdict.breaches, str(verdict)


@pytest.mark.skipif(MINUTES == 0, reason="long: make chaos")
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_launcher_that_slept_asks_for_nothing_stale(chaos: ChaosStage) -> None:
    """Creations wait for the rate limit while it sleeps past its session and its intents."""
    cloud = chaos.cloud("a", quota=_ROOM)
    chaos.provider("alpha", "a", pool={"max_servers": 4}, api_timeout=5, rate=1, launch_attempts=20)
    sleeper = chaos.launcher("alpha")
    people = come(chaos.client(), 4)
    chaos.until(
        lambda: len(chaos.records(paths.launches("alpha"))) == 4 and cloud.servers() >= 1,
        "the first of several creations",
    )
    sleeper.freeze()
    asked = cloud.servers()
    chaos.config["providers"]["alpha"]["rate"] = 100
    chaos.launcher("alpha")
    chaos.until(lambda: len(chaos.replicas("alpha")) == 1, "the sleeper's session to be over")
    chaos.until(lambda: len(at_work(people)) == 4, "the twin to serve everybody", 200.0)
    sleeper.thaw()
    chaos.until(lambda: len(chaos.replicas("alpha")) == 2, "the sleeper to come back", LATER_S)
    trouble = all_go(people, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged()

    assert asked < 4
    assert trouble == []
    assert not verdict.breaches, str(verdict)
