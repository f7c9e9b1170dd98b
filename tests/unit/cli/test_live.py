"""Watching: trees kept up to date, and commands that go on showing them."""

import json
import threading
from typing import Any

import click
import pytest
from click.testing import CliRunner

from remuda.cli import output, overview
from remuda.cli.context import CommandContext
from remuda.cli.output import Sheet, plain
from remuda.cli.overview import nodes
from remuda.insight.live import LiveTrees
from remuda.insight.tree import nodes as nodes_of
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Delete
from tests.fakes.store import FakeStore
from tests.support.commands import CommandHarness


def test_trees_follow_what_happens(harness: CommandHarness) -> None:
    """Created, changed, deleted; lock directories are of no interest."""
    first = harness.launcher.ready_node()
    with LiveTrees(harness.zookeeper.connect(), {paths.NODES: 1}) as trees:
        harness.zookeeper.deliver()
        seen = trees.wait_news(0, 0.0)
        second = harness.launcher.ready_node()
        harness.launcher.set_state(first, NodeState.USED)
        harness.launcher.lock(second)
        harness.zookeeper.deliver()
        assert trees.wait_news(seen, 0.0) > seen
        level = nodes_of(trees.read)
        assert {name: one.state for name, one in level.records.items()} == {
            first: NodeState.USED,
            second: NodeState.READY,
        }
        harness.launcher.store.commit([Delete(path=paths.node(first))])
        harness.zookeeper.deliver()
        assert list(nodes_of(trees.read).records) == [second]


def test_nothing_new_is_not_news(harness: CommandHarness) -> None:
    """Before everything is read there is nothing to show, either."""
    with LiveTrees(harness.zookeeper.connect(), {paths.NODES: 1}) as trees:
        assert trees.wait_news(0, 0.0) == 0
        harness.zookeeper.deliver()
        seen = trees.wait_news(0, 0.0)
        assert seen > 0
        assert trees.wait_news(seen, 0.0) == seen


def test_watching_as_json_prints_a_line_for_each_change(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until Ctrl-C, which is exit code 130."""
    told: list[Any] = []
    over = threading.Event()

    def emit(line: dict[str, Any]) -> None:
        told.append(json.loads(json.dumps(line)))
        if len(told) == 2:
            raise KeyboardInterrupt
        harness.launcher.ready_node()
        harness.zookeeper.deliver()

    def connect(_options: object) -> FakeStore:
        store = harness.zookeeper.connect()
        # The stream of the fake is delivered by whoever calls; here that is nobody else.
        threading.Thread(target=deliver).start()
        return store

    def deliver() -> None:
        while not over.wait(0.01):
            harness.zookeeper.deliver()

    monkeypatch.setattr(output, "emit_line", emit)
    monkeypatch.setattr(overview, "_REDRAW_S", 0.0)
    context = CommandContext(zookeeper="fake:1", connect=connect)
    try:
        result = CliRunner().invoke(nodes, ["--watch", "--json"], obj=context)
    finally:
        over.set()

    assert result.exit_code == 130
    assert [len(one["data"]) for one in told] == [0, 1]


def test_a_plain_table_is_aligned_and_never_cut() -> None:
    """For grep and awk."""
    sheet = Sheet(
        columns=("A", "LONG"), rows=[("1", "x" * 300), ("22", "y")], data=None, notes=["note"]
    )
    lines = plain(sheet).splitlines()

    assert lines[0] == "A   LONG"
    assert lines[1] == f"1   {'x' * 300}"
    assert lines[2:] == ["22  y", "note"]


def test_a_terminal_gets_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """With colours, by rich; its content is the same."""
    sheet = Sheet(columns=("ID", "STATE"), rows=[("n1", "ready")], data=None, notes=["note"])

    @click.command()
    def show() -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        output.show([sheet])
        with output.screen() as screen:
            screen.draw([sheet])

    result = CliRunner().invoke(show)
    assert result.exit_code == 0
    assert result.output.count("n1") >= 2
    assert "note" in result.output
