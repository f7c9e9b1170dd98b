"""A check's machine lives by the launcher's rules: there is one life of a machine, not two."""

import ast
from collections.abc import Callable
from dataclasses import replace

import pytest

from launcher.checking.onenode import OneNode, new_node
from launcher.node import dying, lifecycle
from launcher.node.actions import Condemn
from launcher.node.birth import intend
from launcher.node.view import NodeView
from launcher.provider.cloud import Recipe
from launcher.server.events import Listed
from remuda.cloud.api import ServerStatus
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ServerId
from remuda.model.launch import Step
from remuda.runtime.now import Now
from tests.fakes.cloud import DEBIAN, SMALL
from tests.fakes.cloud_fates import Create, Listing
from tests.fakes.prover import Machine
from tests.support.processes import ROOT
from tests.unit.checking.conftest import Bench
from tests.unit.launcher.works import OWNER, Works
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world

KEY = ("main", "small")
RECIPE = Recipe(image=DEBIAN, flavor=SMALL)


class Life:
    """One node of a check, turn by turn."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.condemned: list[Condemn] = []
        self.listings = 0
        self.node = OneNode(
            means=bench.means(), recipe=RECIPE, key=KEY, number=1, heard=self._heard
        )

    def _heard(self, action: object, event: object, _begun_s: float) -> None:
        self.listings += isinstance(event, Listed)
        if isinstance(action, Condemn):
            self.condemned.append(action)

    @property
    def view(self) -> NodeView:
        """What is known of the node."""
        return self.node.view

    def go_on(self, until: Callable[[], bool]) -> None:
        """Take turns until something is so, a thousand at most."""
        for _ in range(1000):
            if until():
                return
            self.bench.clock.advance(self.node.turn())
        raise AssertionError("it never was so")


def misses_of_a_check(bench: Bench) -> int:
    """Return after how many listings without its server a check gives a machine up."""
    life = Life(bench)
    bench.cloud.boot_s = 1e6
    life.go_on(lambda: life.view.server.shown is not None)
    before = life.listings
    bench.cloud.next_listings.extend([Listing.EMPTY] * 20)
    life.go_on(lambda: life.view.dying)
    assert "lost the server" in life.condemned[0].cause
    return life.listings - before


def misses_of_a_launcher() -> int:
    """Return after how many a launcher does."""
    made = world()
    works, view = Works(made), add_node(made, 1, step=Step.BOOTING)
    for count in range(1, 20):
        number = made.cloud.listing + 1
        empty = Listed(number=number, result=(), begun_s=NOW.mono_s, begun_wall_s=NOW.wall_s)
        works.hear(empty, NOW)
        found = of_kind(think(made), Condemn)
        if found:
            assert found[0].node == view.id
            return count
    raise AssertionError("it never does")


@pytest.mark.parametrize("most", [2, 5])
def test_a_rule_that_changes_changes_for_both(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """When a server counts as lost is said in one place."""
    monkeypatch.setattr(lifecycle, "MISSED_LISTINGS_MAX", most)

    assert misses_of_a_check(bench) == misses_of_a_launcher() == most


@pytest.mark.parametrize("status", [ServerStatus.STOPPED, ServerStatus.DELETING])
def test_states_without_life_end_a_check_as_they_end_a_launch(
    bench: Bench, status: ServerStatus
) -> None:
    """In the same words, long before boot-timeout."""
    life = Life(bench)
    life.go_on(lambda: life.view.server.shown is not None)
    assert life.view.server.id is not None
    bench.cloud.force(life.view.server.id, status)
    life.go_on(lambda: life.view.dying)

    made = world()
    works, view = Works(made), add_node(made, 1, step=Step.BOOTING)
    ours = tags.ServerTags(owner=OWNER, node=view.id, pool=PoolName("main"), label="small")
    known = life.view.server.shown
    assert known is not None
    shown = replace(known, id=ServerId("server-1"), tags=tags.make(ours), status=status)
    for _ in range(lifecycle.LIFELESS_LISTINGS_MAX):
        number = made.cloud.listing + 1
        listed = Listed(number=number, result=(shown,), begun_s=NOW.mono_s, begun_wall_s=NOW.wall_s)
        works.hear(listed, NOW)

    (launchers,) = of_kind(think(made), Condemn)
    (checks,) = life.condemned
    assert (checks.cause, checks.result) == (launchers.cause, launchers.result)


def test_a_listing_beside_a_proof_takes_nothing_from_it(bench: Bench) -> None:
    """Both are begun in one turn, and the listing, which ends first, shows no address any more."""
    life = Life(bench)
    bench.prover.script("198.18.0.1", Machine(too_early=100))
    life.go_on(lambda: life.view.proof.last is not None)
    whole = bench.cloud.list_servers
    bench.cloud.list_servers = lambda: tuple(  # type: ignore[method-assign]
        replace(one, public_ipv4=None, private_ipv4=None, status=ServerStatus.ERROR)
        for one in whole()
    )
    life.node.world.cloud.listed_s = float("-inf")
    before, life.view.patience.retry_s = life.listings, 0.0

    life.node.turn()

    assert life.listings == before + 1
    assert life.view.server.shown is not None
    assert life.view.server.shown.public_ipv4 is None
    assert len(bench.prover.orders) == 2


@pytest.mark.parametrize("number", range(4))
def test_a_check_begins_a_node_as_a_launcher_does(bench: Bench, number: int) -> None:
    """Its zone, until when it may be asked for, what it costs: both records are alike."""
    bench.pool["availability-zones"] = ["az1", "az2"]
    means = bench.means()
    made = world()
    made.policy = means.policy
    writer, clock = Works(made).starter.writer, bench.clock
    now = Now(wall_s=clock.now_s(), mono_s=clock.monotonic_s())
    writer._ids = [NodeId("0000000001")]

    (launchers,) = writer._new_nodes([intend(means.policy, KEY, RECIPE, number)], now)
    checks, host_key = new_node(means, RECIPE, KEY, number)

    named = {"id": checks.launch.id, "owner": checks.launch.owner}
    assert replace(launchers.launch, host_key=checks.launch.host_key, **named) == checks.launch
    users = replace(launchers.node, id=checks.node.id).with_fields(launcher=None)
    assert (users, users.doc) == (checks.node, checks.node.doc)
    assert host_key is not None
    assert host_key.public == checks.launch.host_key


def test_whether_a_call_without_an_answer_made_a_server_is_known_when_a_launcher_knows(
    bench: Bench,
) -> None:
    """Only a listing begun after the last moment of the call tells; until then it is waited."""
    life = Life(bench)
    bench.cloud.next_creates.append(Create.LOST_CALL)
    life.go_on(lambda: life.view.server.doubtful)
    launch = life.view.launch
    assert launch is not None

    life.node.condemn("the check is over")
    life.go_on(lambda: life.node.gone)

    begun_s = life.node.world.cloud.complete_wall_s
    assert begun_s > launch.asked_by_s + dying.CLOCK_SKEW_S
    assert begun_s - launch.asked_by_s - dying.CLOCK_SKEW_S < 60.0


#: What judges how a machine is must not be named where a check only drives and tells.
RULES = frozenset({"ServerStatus", "ServerOrder", "TryLaterError", "GoneError", "StepEvent"})
#: Calls to the cloud that a launcher's hands make.
CALLS = frozenset(
    {
        *("create_server", "list_servers", "delete_server", "find_ports", "add_floating_ip"),
        *("remove_floating_ips", "console_log", "prove"),
    }
)


@pytest.mark.parametrize("module", ["booting", "onenode"])
def test_what_drives_a_check_has_no_rules_of_its_own(module: str) -> None:
    """Neither states of servers, nor reactions to errors, nor calls to the cloud."""
    text = (ROOT / "launcher" / "checking" / f"{module}.py").read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))

    names = {one.name for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names}
    called = {node.attr for node in nodes if isinstance(node, ast.Attribute)}

    assert names & RULES == set()
    assert called & CALLS == set()
