"""Ids of nodes, holds and autoholds for the shell."""

from collections.abc import Sequence

import pytest
from click.shell_completion import ShellComplete

from remuda.cli.context import CommandContext
from remuda.cli.main import main
from remuda.model.node import NodeState
from remuda.store import paths
from tests.support.commands import CommandHarness


def completed(harness: CommandHarness, words: Sequence[str], incomplete: str) -> list[str]:
    """Return what the shell offers."""
    context = CommandContext(zookeeper="fake:1", connect=lambda _options: harness._connect())
    shell = ShellComplete(main, {"obj": context}, "remuda", "_REMUDA_COMPLETE")
    return [one.value for one in shell.get_completions(list(words), incomplete)]


@pytest.fixture
def three(harness: CommandHarness) -> CommandHarness:
    """Give an installation with a node of each kind, an autohold, and an image of a hold."""
    for number, state in enumerate((NodeState.READY, NodeState.IN_USE, NodeState.HOLD), 1):
        harness.launcher.ready_node(state=state, node_id=f"300000000{number}")
    for path in (f"{paths.AUTOHOLDS}/a1", f"{paths.TAKE_HOME}/3000000009"):
        harness.launcher.store.ensure(path)
    return harness


ALL = ["3000000001", "3000000002", "3000000003"]


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        (["extend"], "", ALL[2:]),
        (["extend"], "3000000001", []),
        (["key", "add"], "30", ALL[2:]),
        (["hold"], "", ALL[1:]),
        (["release"], "3", ALL[1:]),
        (["ssh"], "3000000002", ALL[1:2]),
        (["explain"], "", ALL),
        (["nodes", "3000000001"], "", ALL),
        (["capsule"], "x", []),
        (["open"], "", ["3000000009"]),
        (["autohold", "remove"], "", ["a1"]),
    ],
)
def test_ids_are_completed_where_they_make_sense(
    three: CommandHarness, words: list[str], incomplete: str, offered: list[str]
) -> None:
    """What is held where only that can be meant, and all nodes where they are looked at."""
    assert completed(three, words, incomplete) == offered
