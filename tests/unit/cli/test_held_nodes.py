"""Holds where people look: in lists of nodes, and in what explains a node or a request."""

from dataclasses import replace
from typing import Final

import pytest

from remuda.cli.explaining import explain
from remuda.cli.overview import nodes
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdwish import SnapshotWish
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.model.status import PoolStatus, Ruling
from remuda.model.takehome import SnapshotAnswer, TakeHome, TakeHomeState, encode_take_home
from remuda.store import paths
from remuda.store.api import Create
from requestor.commands.request import request
from tests.support.commands import CommandHarness
from tests.support.keeping import NOW_S, Granting

HELD: Final = Hold(
    owner="ada",
    reason="red",
    source=HoldSource.ASKED,
    for_s=3600.0,
    job="unit 7",
    since_s=NOW_S,
    ends_s=NOW_S + 3600.0,
    seen_s=NOW_S,
    logins=("ada pts/0",),
)


def held(harness: CommandHarness, hold: Hold | None = HELD) -> NodeId:
    """Put a held node on record."""
    node = harness.launcher.ready_node(
        "small", state=NodeState.HOLD, hold_job="zuul", comment="as zuul says"
    )
    Granting(harness.launcher).put(node, hold)
    return node


def at_home(harness: CommandHarness, node: NodeId) -> None:
    """Put the image of a held node on record."""
    wish = SnapshotWish(token="s", share_with=None, public=False, for_s=60.0)
    Granting(harness.launcher).put(node, HELD, SnapshotAnswer(wish=wish, begun=True))
    one = TakeHome(
        node=node,
        state=TakeHomeState.ASKED,
        wish=wish,
        provider="alpha",
        pool="main",
        label="small",
    )
    harness.launcher.store.ensure(paths.TAKE_HOME)
    path = paths.take_home(node)
    harness.launcher.store.commit([Create(path=path, data=encode_take_home(one))])


def test_the_list_of_nodes_says_what_their_launcher_knows_of_a_hold(
    harness: CommandHarness,
) -> None:
    """Owner, reason, end, job, who is in, and the image; of one unseen what its record says."""
    node, unseen = held(harness), held(harness, None)
    at_home(harness, node)
    first, second = harness.call(nodes, "--state", "hold").stdout.splitlines()[1:]
    assert "ada: red (" in first
    assert "left); job unit 7; logged in: ada pts/0; to take home: granted" in first
    assert "zuul: as zuul says" in second
    told = {one["id"]: one["hold_ends_at_s"] for one in harness.json(nodes)}
    assert told == {node: NOW_S + 3600.0, unseen: None}


def test_a_held_node_is_explained(harness: CommandHarness) -> None:
    """For whom, until when, who is in, and how much of its pool is kept."""
    harness.launcher.status(pools={"main": PoolStatus(instances=3, instances_max=8)})
    node = held(harness)
    held(harness)
    at_home(harness, node)
    said = harness.call(explain, node).stdout
    for words in (
        f"node {node} (small, alpha, pool main) is held",
        "it is held for ada until 2033-05-18 04:33 UTC",
        "): red",
        "whoever had it in use asked for that, after job unit 7; owners are unproven",
        f"`remuda ssh {node}` logs in, `remuda extend {node}` keeps it for longer, ",
        "logged in: ada pts/0",
        "to take home: granted; it waits for a builder",
        "in pool main 2 of 8 machines are kept for people",
        f"`remuda capsule {node}` tells how it was made",
    ):
        assert words in said
    told = harness.json(explain, node)
    assert (told["hold"]["owner"], told["take_home"]["node"]) == ("ada", node)
    assert (told["pool_held"], told["pool_instances_max"]) == (2, 8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"refused": "too many"}, "it is not kept for ada: too many"),
        (
            {"since_s": None, "ends_s": None},
            "it is kept for ada for 1h once its job lets it go: red",
        ),
        ({"ends_s": 1e9}, "it is held for ada until 2001-09-09 01:46 UTC (over): red"),
        ({"logins": ()}, "ago nobody that we know was logged in"),
        ({"autohold": "a1"}, "autohold a1 asked for that"),
        ({"source": HoldSource.ZUUL}, "Zuul asked for that"),
        ({"source": HoldSource.REQUESTOR}, "the program that had it in use asked for that"),
        (None, "no launcher has put its hold on record yet"),
    ],
)
def test_each_kind_of_hold_is_explained(
    harness: CommandHarness, change: dict[str, object] | None, words: str
) -> None:
    """In a sentence."""
    node = held(harness, None if change is None else replace(HELD, **change))  # type: ignore[arg-type]
    assert words in harness.call(explain, node).stdout


def test_a_node_that_nobody_keeps_is_explained(harness: CommandHarness) -> None:
    """Who has it; and of a broken record that it is."""
    node = harness.launcher.ready_node(
        state=NodeState.IN_USE, allocated_to="200-0000000001", requestor="ci-1"
    )
    said = harness.call(explain, node).stdout
    assert "it was given to ci-1" in said
    assert "kept" not in said
    told = harness.json(explain, node)
    assert (told["hold"], told["take_home"], told["pool_held"]) == (None, None, 0)
    broken = f"{paths.NODES}/3000000077"
    harness.launcher.store.commit([Create(path=broken, data=b"{")])
    result = harness.call(explain, "3000000077")
    assert (result.exit_code, "node 3000000077: " in result.stderr) == (1, True)


def test_who_waits_for_the_room_of_holds_is_told_so(harness: CommandHarness) -> None:
    """With their number, and where to read whose they are."""
    harness.launcher.status(pools={"main": PoolStatus(instances=8, instances_max=8)})
    held(harness)
    harness.call(request, "small")
    asked = harness.launcher.the_request().id
    harness.launcher.say(asked, Ruling.WAITING, "no room; held: 1", numbers={"held": 1})
    said = harness.call(explain, asked).stdout
    assert "in alpha 1 of 8 machines are kept for people: `remuda holds` says for whom" in said
