"""`remuda delete`: condemn nodes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import click

from remuda.cli import output
from remuda.cli.caveats import tell_what_is_missing, unknown
from remuda.cli.completing import complete_nodes
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import MistakeError, PlainCommand
from remuda.cli.node_change import broken_record, step_node, user_of
from remuda.cli.terminal import say
from remuda.cli.znode_names import as_shown, shown_name
from remuda.insight.tree import reader
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeEvent, NodeState, decode
from remuda.store import paths
from remuda.store.api import Store

#: Somebody's work is on these.
_KEPT: Final[Mapping[NodeState, str]] = {NodeState.IN_USE: "in use", NodeState.HOLD: "held"}


@click.command(
    cls=PlainCommand,
    examples=("remuda delete 3000000001", "remuda delete --force 3000000001 3000000002"),
)
@click.argument(
    "nodes",
    metavar="NODE...",
    nargs=-1,
    required=True,
    callback=as_shown,
    shell_complete=complete_nodes,
)
@click.option("--force", is_flag=True, help="Even nodes in use, held or promised to a request.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def delete(*, context: CommandContext, nodes: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Mark nodes for deletion; their launcher deletes the machines."""
    judge = partial(_refuse_if_used, force=force)
    done: list[dict[str, str]] = []
    with context.store() as store:
        _check_all(store, nodes, judge)
        for name in nodes:
            before = step_node(
                store,
                NodeId(name),
                NodeEvent.CONDEMNED,
                judge=judge,
                now_s=context.clock.now_s(),
            )
            done.append({"node": name, "was": str(before.state)})
        tell_what_is_missing(reader(store))
    if as_json:
        output.emit_json(done)
        return
    for one in done:
        name, was = shown_name(one["node"]), NodeState(one["was"]).said
        say(f"node {name} was {was} and will be deleted by its launcher")


def _check_all(store: Store, nodes: tuple[str, ...], judge: Callable[[Node], None]) -> None:
    """Refuse the whole command if one of its nodes is unknown or must not be deleted."""
    for name in nodes:
        # One by one: of many, those that are closed to us would count as not there.
        stored = store.read(paths.node(NodeId(name)))
        if stored is None:
            absent = f"there is no node {name}; nothing was deleted"
            raise MistakeError(unknown(reader(store), absent))
        try:
            node = decode(NodeId(name), stored.value)
        except CorruptRecordError as exc:
            raise MistakeError(f"{broken_record(name, exc)}; nothing was deleted") from exc
        judge(node)


def _refuse_if_used(node: Node, *, force: bool) -> None:
    if force:
        return
    if node.state in _KEPT:
        raise MistakeError(
            f"node {node.id} is {_KEPT[node.state]} by {user_of(node)}; --force deletes it anyway"
        )
    if node.state is NodeState.READY and node.allocated_to:
        raise MistakeError(
            f"node {node.id} is promised to request {node.allocated_to}; --force deletes it anyway"
        )
