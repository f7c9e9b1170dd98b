"""A launcher that ZooKeeper's news do not reach, while the cloud's do (issue 6, E1)."""

import re
import urllib.request

import pytest

from remuda.membership.rendezvous import assignee
from remuda.model.ids import ReplicaId
from tests.chaos.ensemble import Member
from tests.chaos.stage import LATER_S, ChaosStage
from tests.chaos.users import all_go, at_work, come
from tests.support.processes import Process

#: Two sightings make a leak; so many listings more are seen by the blind.
_LISTINGS = 4
#: One in two divides the duties.
_RESTARTS_MAX = 20
#: Who hears nothing notices after two thirds of it: longer than all this takes on a busy machine.
_SESSION_S = 240
_COUNTED = re.compile(r'^remuda_cloud_call_seconds_count\{.*operation="list_servers".*\} (\S+)$')

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ssh,
    pytest.mark.zk,
    pytest.mark.chaos,
    pytest.mark.timeout(900),
]


def _listings(url: str) -> float:
    """Count how often a launcher has listed its cloud, by its own metrics."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60.0) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    return sum(float(found[1]) for line in lines if (found := _COUNTED.match(line)))


def _on_duty(chaos: ChaosStage, thing: str) -> int:
    """Return the process id of the launcher that does something for both."""
    replicas = chaos.until(lambda: len(r := chaos.replicas("alpha")) == 2 and r, "both replicas")
    return replicas[str(assignee(thing, list(map(ReplicaId, replicas))))]


def _divided(chaos: ChaosStage, behind: dict[Member, Process]) -> Member:
    """Restart launchers until one sweeps and the other makes; return whom the sweeper is behind.

    As a rolling restart may do it: each new process draws anew.
    """
    for _ in range(_RESTARTS_MAX):
        if (sweeper := _on_duty(chaos, "sweep")) != _on_duty(chaos, "demand"):
            return next(one for one, process in behind.items() if process.pid == sweeper)
        member, old = next(iter(behind.items()))
        old.stop()
        behind[member] = chaos.launcher_at("alpha", member, session_timeout=_SESSION_S)
        chaos.at_work(behind[member])
    raise AssertionError("one launcher did everything, whatever was drawn")


def test_a_blind_launcher_leaves_its_twins_machines_alone(chaos: ChaosStage) -> None:
    """A follower stands still; the launcher behind it is the one that sweeps."""
    chaos.cloud("a", quota={"instances": 50, "cores": 100})
    chaos.provider("alpha", "a", pool={"max_servers": 8}, idle_list_period=1)
    members = chaos.ensemble.followers()
    behind = {one: chaos.launcher_at("alpha", one, session_timeout=_SESSION_S) for one in members}
    chaos.all_at_work()
    frozen = _divided(chaos, behind)
    chaos.look_through(chaos.ensemble.leader())
    blind = behind.pop(frozen)
    (twin,) = behind.values()
    url, client = chaos.at_work(blind), chaos.client(chaos.ensemble.leader(), session_s=60.0)
    frozen.freeze()
    people = come(client, 4)
    chaos.until(lambda: at_work(people), "the twin to serve somebody", LATER_S)
    twin.stop()
    chaos.launcher_at("alpha", chaos.ensemble.leader())
    listed = _listings(url)
    chaos.until(
        lambda: _listings(url) >= listed + _LISTINGS or blind.events("session.changed"),
        "the blind launcher to list the cloud",
        LATER_S,
    )
    noticed = blind.events("session.changed")
    frozen.thaw()
    trouble = all_go(people, LATER_S)
    chaos.at_rest()
    verdict = chaos.judged()

    assert not noticed
    assert trouble == []
    assert not verdict.breaches, str(verdict)
