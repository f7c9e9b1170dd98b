"""`remuda release`: give nodes back that nobody works on any more, cancel requests."""

import re
from functools import partial
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.changing import step_node, user_of
from remuda.cli.failing import MistakeError
from remuda.cli.surroundings import Surroundings, with_surroundings
from remuda.model.ids import NodeId, RequestId
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.store import paths
from remuda.store.api import Delete, MissingError, Store
from requestor.commands.ending import RequestorCommand
from requestor.commands.keeping import KEPT

_REQUEST: Final = re.compile(r"^[^-]+-\d{10}$")
_OVER: Final = frozenset({NodeState.USED, NodeState.DELETING, NodeState.DELETED})


@click.command(
    cls=RequestorCommand,
    examples=("remuda release 3000000001", "remuda release 200-0000000042"),
)
@click.argument("ids", metavar="REQUEST-OR-NODE...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Even nodes that another process works on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_surroundings
def release(*, around: Surroundings, ids: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Cancel requests, and give back nodes that are held or kept by `remuda request`."""
    done: list[dict[str, Any]] = []
    with around.store() as store:
        for name in ids:
            if _REQUEST.match(name):
                _cancel(store, RequestId(name))
                done.append({"request": name, "cancelled": True})
            else:
                # Whoever keeps it (`remuda request --wait`) notices and unlocks it.
                before = step_node(
                    store,
                    NodeId(name),
                    NodeEvent.RETURNED,
                    judge=partial(_refuse_if_not_ours, force=force),
                    now_s=around.clock.now_s(),
                )
                done.append({"node": name, "was": str(before.state)})
    if as_json:
        output.emit_json(done)
        return
    for one in done:
        if "request" in one:
            click.echo(f"request {one['request']} is cancelled")
        else:
            click.echo(f"node {one['node']} was {one['was']} and is given back")


def _cancel(store: Store, request_id: RequestId) -> None:
    try:
        store.commit([Delete(path=paths.request(request_id))])
    except MissingError as error:
        raise MistakeError(
            f"there is no request {request_id}; it was served, cancelled, or never was"
        ) from error


def _refuse_if_not_ours(node: Node, *, force: bool) -> None:
    if node.state in _OVER:
        raise MistakeError(f"node {node.id} is {node.state} already")
    if node.state is NodeState.HOLD or (node.state is NodeState.IN_USE and (force or _kept(node))):
        return
    if node.state is NodeState.IN_USE:
        raise MistakeError(f"node {node.id} is in use by {user_of(node)}; --force takes it away")
    raise MistakeError(f"node {node.id} is {node.state}: there is nothing to give back")


def _kept(node: Node) -> bool:
    data = node.doc.get("user_data")
    ours = data.get("remuda") if isinstance(data, dict) else None
    return isinstance(ours, dict) and ours.get(KEPT) is True
