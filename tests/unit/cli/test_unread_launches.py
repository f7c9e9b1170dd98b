"""What people hear of a node whose launch record is broken, closed to us, or not there."""

from dataclasses import replace
from typing import Any

import pytest

from remuda.cli.capsule import find
from remuda.cli.explaining import explain
from remuda.insight.launches import (
    BrokenLaunch,
    ClosedLaunch,
    FoundLaunch,
    LaunchAnswer,
    NoLaunch,
    find_launch,
    launch_answer,
    launch_in,
    why_unread,
)
from remuda.model.hold import Hold, HoldSource
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import NotPermittedError, Set
from requestor.commands.holds import holds
from requestor.errors import RequestorError
from requestor.holding import held_as, read_launch
from tests.support.commands import CommandHarness
from tests.support.keeping import NOW_S, Granting

CLOSED = "its launch record is closed to us"
BROKEN = "its launch record cannot be read: "


@pytest.fixture
def node(harness: CommandHarness) -> NodeId:
    """A node that is held, of a launcher of ours."""
    made = NodeId(harness.launcher.ready_node("small", state=NodeState.HOLD))
    Granting(harness.launcher).put(
        made,
        Hold(
            owner="ada",
            reason="red",
            source=HoldSource.ASKED,
            for_s=60.0,
            since_s=NOW_S,
            ends_s=NOW_S + 60.0,
        ),
    )
    return made


def break_launch(harness: CommandHarness, node: NodeId) -> None:
    """Have somebody write over the launch of a node."""
    path = paths.launch("alpha", node)
    harness.launcher.store.commit([Set(path=path, data=b"{", version=-1)])


def close_launches(harness: CommandHarness) -> None:
    """Have the launches closed to each session that is made from now on."""
    connect = harness.zookeeper.connect
    closed = f"{paths.launches('alpha')}/"

    def connected() -> Any:
        store = connect()
        read, read_each = store.read, store.read_each

        def one(path: str) -> Any:
            if path.startswith(closed):
                raise NotPermittedError(path)
            return read(path)

        def each(wanted: list[str]) -> Any:
            found = zip(wanted, read_each(wanted), strict=True)
            return tuple(
                NotPermittedError(path) if path.startswith(closed) else answer
                for path, answer in found
            )

        store.read = one  # type: ignore[method-assign]
        store.read_each = each  # type: ignore[method-assign,assignment]
        return store

    harness.zookeeper.connect = connected  # type: ignore[method-assign]


def look(harness: CommandHarness, node: NodeId) -> LaunchAnswer:
    """Read the launch of a node, with a session of its own."""
    return find_launch(harness.zookeeper.connect(), harness.launcher.read_node(node))


def test_a_launch_is_found_none_broken_or_closed(harness: CommandHarness, node: NodeId) -> None:
    """Each is told from the others, and only two of them are worth a word."""
    found = look(harness, node)
    assert isinstance(found, FoundLaunch)
    assert (found.launch.id, found.version) == (node, 1)
    assert (launch_in(found), why_unread(found)) == (found.launch, None)

    bare = NodeId(harness.launcher.ready_node("small"))
    assert look(harness, bare) == NoLaunch()
    assert (launch_in(NoLaunch()), why_unread(NoLaunch())) == (None, None)

    break_launch(harness, node)
    broken = look(harness, node)
    assert isinstance(broken, BrokenLaunch)
    assert launch_in(broken) is None
    assert why_unread(broken) == f"{BROKEN}{broken.why}"

    close_launches(harness)
    closed = look(harness, node)
    assert isinstance(closed, ClosedLaunch)
    assert (launch_in(closed), why_unread(closed)) == (None, CLOSED)
    assert launch_answer(node, closed.error) == closed


def test_a_node_of_another_program_has_no_launch(harness: CommandHarness) -> None:
    """Nobody looks for one: it names no provider of ours."""
    record = harness.launcher.read_node(harness.launcher.ready_node("small"))
    assert find_launch(harness.launcher.store, replace(record, provider=None)) == NoLaunch()


def test_a_broken_launch_is_explained(harness: CommandHarness, node: NodeId) -> None:
    """It is not said that no launcher has put a hold there: nobody knows that."""
    break_launch(harness, node)
    said = harness.call(explain, node).stdout
    assert BROKEN in said
    assert "no launcher has put its hold on record" not in said
    told = harness.json(explain, node)
    assert told["launch_unread"].startswith(BROKEN)
    assert told["hold"] is None


def test_a_closed_launch_is_explained(harness: CommandHarness, node: NodeId) -> None:
    """The same."""
    close_launches(harness)
    said = harness.call(explain, node).stdout
    assert CLOSED in said
    assert "no launcher has put its hold on record" not in said


def test_a_launch_that_is_read_needs_no_word(harness: CommandHarness, node: NodeId) -> None:
    """Nor does one that is not there."""
    assert harness.json(explain, node)["launch_unread"] is None
    bare = harness.launcher.ready_node("small")
    assert harness.json(explain, bare)["launch_unread"] is None


def test_a_capsule_says_that_the_launch_tells_nothing(
    harness: CommandHarness, node: NodeId
) -> None:
    """And ends in no error: the rest of what is known is shown."""

    def why() -> str:
        store = harness.zookeeper.connect()
        return find(store, node, now_s=NOW_S, pause=lambda _: None)[1].why

    assert "launch record" not in why()
    break_launch(harness, node)
    assert f"this is what its records say; {BROKEN}" in why()
    close_launches(harness)
    assert why().endswith(f"; {CLOSED}")


def test_the_list_of_holds_names_what_it_cannot_show(harness: CommandHarness, node: NodeId) -> None:
    """By the kind of trouble."""
    assert "ada" in harness.call(holds).stdout
    break_launch(harness, node)
    assert f"broken record: {node}: " in harness.call(holds).stdout
    close_launches(harness)
    said = harness.call(holds).stdout
    path = paths.launch("alpha", node)
    assert f"records are closed to us and not shown: 1 of them, such as {path}" in said
    assert "no holds" not in said


def test_who_would_write_a_wish_does_not_go_on_without_the_launch(
    harness: CommandHarness, node: NodeId
) -> None:
    """Who only asks whose the node is goes by its own record."""
    record = harness.launcher.read_node(node)
    break_launch(harness, node)
    with pytest.raises(RequestorError, match=f"what tells of the hold cannot be read: {node}: "):
        read_launch(harness.zookeeper.connect(), record)
    assert held_as(harness.zookeeper.connect(), record) is None
    close_launches(harness)
    with pytest.raises(NotPermittedError):
        read_launch(harness.zookeeper.connect(), record)
    assert held_as(harness.zookeeper.connect(), record) is None
