"""Commands that name a node whose record is broken, empty, or not there, end by one sentence."""

import click
import pytest

from remuda.cli.capsule import capsule
from remuda.cli.deleting import delete
from remuda.model.ids import NodeId
from remuda.store import paths
from remuda.store.api import Set
from requestor.commands.capture import capture
from requestor.commands.extend import extend
from requestor.commands.hold import hold
from requestor.commands.key import key
from requestor.commands.release import release
from requestor.commands.ssh import ssh
from requestor.errors import InvalidOptionsError, RequestorError
from requestor.rereading import read_node
from tests.support.commands import CommandHarness

NODE = NodeId("3000000007")
CALLS: list[tuple[click.Command, tuple[str, ...]]] = [
    (ssh, (NODE,)),
    (hold, (NODE, "--reason", "red")),
    (extend, (NODE,)),
    (key, ("list", NODE)),
    (key, ("add", NODE, "--developer", "ada")),
    (key, ("remove", NODE, "ada")),
    (capture, (NODE, "--as", "noble")),
    (capsule, (NODE,)),
    (release, (NODE,)),
    (delete, (NODE,)),
]


def harness_with(raw: bytes) -> CommandHarness:
    """Return a harness where somebody has written *raw* over a node."""
    harness = CommandHarness()
    harness.launcher.register("small")
    harness.launcher.ready_node(node_id=NODE)
    harness.launcher.store.commit([Set(path=paths.node(NODE), data=raw, version=-1)])
    return harness


@pytest.mark.parametrize(("command", "words"), CALLS)
def test_a_broken_record_ends_no_command_with_a_traceback(
    command: click.Command, words: tuple[str, ...]
) -> None:
    """It says what is broken."""
    result = harness_with(b"{").call(command, *words)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code in (1, 2)
    assert f"the record of node {NODE} is broken: " in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("command", "words"), [one for one in CALLS if one[0] is not delete])
def test_an_empty_record_is_that_of_no_node(command: click.Command, words: tuple[str, ...]) -> None:
    """Other programs leave such behind."""
    result = harness_with(b"").call(command, *words)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    assert f"there is no node {NODE}" in result.stderr


def test_the_library_tells_a_broken_record_from_none() -> None:
    """By the type of the error."""
    store = harness_with(b"{").launcher.store
    with pytest.raises(RequestorError, match=f"the record of node {NODE} is broken: ") as raised:
        read_node(store, NODE)
    assert not isinstance(raised.value, InvalidOptionsError)
    with pytest.raises(InvalidOptionsError, match="there is no node 3000000008"):
        read_node(store, NodeId("3000000008"))
