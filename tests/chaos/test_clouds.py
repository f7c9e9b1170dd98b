"""Clouds that lie and refuse, aimed at what random storms do not hit (issue 6, E2 to E4)."""

import pytest

from tests.chaos.stage import LATER_S, ChaosStage
from tests.chaos.users import all_go, at_work, come

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.zk,
    pytest.mark.chaos,
    pytest.mark.timeout(300),
]

#: So many lying lists were seen: the wrong conclusion needs two.
_LISTS = 15
_ROOM = {"instances": 50, "cores": 100, "ram": 200000}


def test_what_the_cloud_refuses_to_delete_is_not_forgotten(chaos: ChaosStage) -> None:
    """Lists omit everything and deletions are refused: records stay, nothing is replaced."""
    cloud = chaos.cloud("a", quota=_ROOM)
    chaos.provider("alpha", "a", pool={"max_servers": 4}, idle_list_period=1)
    for _ in range(2):
        chaos.launcher("alpha", wait=False)
    chaos.all_at_work()
    client = chaos.client()
    first = come(client, 4)
    chaos.until(lambda: len(at_work(first)) == 4, "all room to be taken", LATER_S)
    omitting = cloud.fault("server.list", "omit")
    refusing = cloud.fault("server.delete", "http", status=503)
    trouble = all_go(first, LATER_S)
    second = come(client, 4)
    chaos.until(
        lambda: cloud.fired(omitting) >= _LISTS and cloud.fired(refusing) >= 1,
        "lies and refusals",
        LATER_S,
    )
    cloud.heal()
    trouble += all_go(second, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged()

    assert trouble == []
    assert not verdict.breaches, str(verdict)


def test_nobody_fails_for_others_failed_boots(chaos: ChaosStage) -> None:
    """Ten ask for one label and three machines do not boot: no request is given up."""
    cloud = chaos.cloud("a", quota=_ROOM)
    chaos.provider("alpha", "a", pool={"max_servers": 10})
    for _ in range(2):
        chaos.launcher("alpha", wait=False)
    chaos.all_at_work()
    failing = cloud.fault("server.boot", "boot_error", count=3)
    people = come(chaos.client(), 10)
    chaos.until(lambda: cloud.fired(failing) == 3, "three boots to fail")
    trouble = all_go(people, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged()

    assert trouble == []
    assert not verdict.breaches, str(verdict)


def test_nobody_waits_for_machines_that_do_not_exist(chaos: ChaosStage) -> None:
    """Creations are refused for a moment, without a word when to come again."""
    usual = {"pool": {"max_servers": 4}, "labels": ("small",)}
    preferred = chaos.cloud("a", quota=_ROOM)
    chaos.cloud("b", quota=_ROOM)
    chaos.provider("alpha", "a", priority=1, **usual)
    chaos.provider("beta", "b", priority=200, **usual)
    for provider in ("alpha", "beta"):
        chaos.launcher(provider, wait=False)
    chaos.all_at_work()
    refusing = preferred.fault("server.create", "http", status=503)
    people = come(chaos.client(), 3)
    chaos.until(lambda: preferred.fired(refusing), "a creation to be refused")
    chaos.until(
        lambda: preferred.fired(refusing) >= len(people) or at_work(people),
        "all creations to be refused, or another cloud to serve somebody",
    )
    preferred.heal()
    trouble = all_go(people, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged(served_within_s=45.0)

    assert trouble == []
    assert not verdict.breaches, str(verdict)
