"""`remuda release`: give nodes back that nobody works on any more, cancel requests."""

import re
from dataclasses import dataclass
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.caveats import unknown
from remuda.cli.completing import complete_in_use
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import MistakeError
from remuda.cli.node_change import step_node, user_of
from remuda.cli.terminal import say
from remuda.cli.znode_names import as_shown, shown_name
from remuda.insight.takehomes import read_take_home, said
from remuda.insight.tree import reader
from remuda.model import request as request_record
from remuda.model.capture import requestor_of
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, RequestId, is_node_id
from remuda.model.jobreport import JobReport, job_report, report_fields
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.model.takehome import TakeHome, TakeHomeState
from remuda.redaction import redact_text
from remuda.store import paths
from remuda.store.api import Delete, MissingError, Store
from requestor.commands.ending import RequestorCommand
from requestor.commands.kept_nodes import KEPT
from requestor.commands.options import owner_options
from requestor.holding import held_as
from requestor.owning import image_owner, node_owner, request_owner
from requestor.takinghome import end_take_home

_REQUEST: Final = re.compile(r"^[^-]+-\d{10}$")
_GIVEN: Final = frozenset({NodeState.IN_USE, NodeState.HOLD})
_OVER: Final = frozenset({NodeState.USED, NodeState.DELETING, NodeState.DELETED})


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda release 3000000001",
        "remuda release 200-0000000042",
        "remuda release 3000000001 --failed 'unit tests: exit code 2'",
    ),
)
@click.argument(
    "ids",
    metavar="REQUEST-OR-NODE...",
    nargs=-1,
    required=True,
    callback=as_shown,
    shell_complete=complete_in_use,
)
@owner_options("Even what is somebody else's, and nodes that another process works on.")
@click.option("--ok", is_flag=True, help="Report that the work on the nodes went well.")
@click.option("--failed", metavar="WHY", help="Report that it failed, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def release(
    *,
    context: CommandContext,
    ids: tuple[str, ...],
    me: str,
    force: bool,
    ok: bool,
    failed: str | None,
    as_json: bool,
) -> None:
    """Cancel requests of ours, and give back nodes that we hold or keep by `remuda request`.

    With --ok or --failed, operators see on which labels, providers and images jobs fail.
    """
    report = _report_of(ids, ok=ok, failed=failed, now_s=context.clock.now_s())
    done: list[dict[str, Any]] = []
    now_s = context.clock.now_s()
    with context.store() as store:
        for name in ids:
            if _REQUEST.match(name) or _requested_otherwise(store, name):
                owner = _cancel(store, RequestId(name), me=me, force=force)
                done.append({"request": name, "cancelled": True, "owner": owner})
            elif (image := _end_image(store, name, me=me, force=force, now_s=now_s)) is not None:
                done.append({"node": name, "image": image, "was": "an image", "owner": None})
            else:
                # Whoever keeps it (`remuda request --wait`) notices and unlocks it.
                judge = _Judge(store=store, me=me, force=force, report=report)
                before = step_node(
                    store,
                    NodeId(name),
                    NodeEvent.RETURNED,
                    judge=judge,
                    now_s=context.clock.now_s(),
                    fields=None if report is None else report_fields(report),
                )
                done.append({"node": name, "was": str(before.state), "owner": judge.owner})
    if as_json:
        output.emit_json(done)
        return
    for one in done:
        whose = f", of {one['owner']}," if one["owner"] else ""
        name = shown_name(one.get("node") or one["request"])
        if "image" in one:
            say(f"image {one['image']} of node {name} is given back, and deleted")
        elif "request" in one:
            say(f"request {name}{whose} is cancelled")
        else:
            say(f"node {name} was {NodeState(one['was']).said}{whose} and is given back")


def _requested_otherwise(store: Store, name: str) -> bool:
    """Whether a name that is neither of a request nor of a node is on record as a request's.

    Whoever may ask for nodes may call a request anything, and launchers serve it all the same.
    """
    return not is_node_id(name) and store.read(paths.request(RequestId(name))) is not None


def _end_image(store: Store, name: str, *, me: str, force: bool, now_s: float) -> str | None:
    """Have the image deleted that a hold has become; return its id, or None if there is none.

    Raises:
        MistakeError: It is somebody else's, or on the way.
    """
    try:
        one = read_take_home(store, NodeId(name))
    except CorruptRecordError as error:
        raise MistakeError(f"the image of node {name} cannot be read: {error}") from error
    if one is None or one.state not in {TakeHomeState.WHOLE, TakeHomeState.ENDING}:
        if one is not None and not force:
            _refuse_if_under_way(one)
        return None  # the machine is there still, and is what is given back
    owner = image_owner(one, me=me)
    if owner is not None and not force:
        raise MistakeError(f"the image of node {name} is of {owner}, not {me}; --force takes it")
    end_take_home(store, one, by=me, now_s=now_s)
    return one.cloud_image or ""


def _refuse_if_under_way(one: TakeHome) -> None:
    """Do nothing unless a machine is becoming an image: given back now, there would be neither."""
    if one.state in {TakeHomeState.ASKED, TakeHomeState.MAKING}:
        raise MistakeError(
            f"node {one.node} is becoming an image ({said(one)}): give that back once it is there;"
            " --force gives the machine back now, without an image"
        )


def _report_of(
    ids: tuple[str, ...], *, ok: bool, failed: str | None, now_s: float
) -> JobReport | None:
    """Return what is reported of the nodes, or None."""
    if not ok and failed is None:
        return None
    if ok and failed is not None:
        raise MistakeError("either --ok or --failed")
    requests = [one for one in ids if _REQUEST.match(one)]
    if requests:
        raise MistakeError(f"{requests[0]} is a request: no work was done on it to report of")
    return job_report(ok=ok, why=redact_text(failed or ""), at_s=now_s)


def _cancel(store: Store, request_id: RequestId, *, me: str, force: bool) -> str | None:
    """Cancel a request and return whose it was; None: ours."""
    absent = f"there is no request {request_id}; it was served, cancelled, or never was"
    stored = store.read(paths.request(request_id))
    if stored is None:
        raise MistakeError(unknown(reader(store), absent))
    try:
        owner = request_owner(request_record.decode(request_id, stored.value), me=me)
    except CorruptRecordError as error:
        owner = "somebody"
        if not force:
            raise MistakeError(
                f"the record of request {request_id} is broken; --force cancels it anyway"
            ) from error
    if owner is not None and not force:
        raise MistakeError(
            f"request {request_id} is of {owner}, not of {me}; --force cancels it anyway"
        )
    try:
        store.commit([Delete(path=stored.path)])
    except MissingError as error:
        raise MistakeError(absent) from error
    return owner


@dataclass(slots=True, kw_only=True)
class _Judge:
    """Refuses to give back what is not ours to give back.

    Attributes:
        store: Where the records are.
        me: What we are called.
        force: Whether somebody else's is meant, too.
        report: What is said of the work on the node, or None.
        owner: Whose the node is that was judged last; None: ours. Nothing has to be read for that
            once the node is given back.
    """

    store: Store
    me: str
    force: bool
    report: JobReport | None
    owner: str | None = None

    def __call__(self, node: Node) -> None:
        """Judge one node.

        Raises:
            MistakeError: It is not given back.
            StoreAwayError: If ZooKeeper does not answer.
        """
        if node.state in _OVER:
            raise MistakeError(f"node {node.id} is {node.state.said} already")
        if node.state not in _GIVEN:
            raise MistakeError(
                f"node {node.id} is {node.state.said}: there is nothing to give back"
            )
        owner = self.owner = node_owner(node, me=self.me, hold=held_as(self.store, node))
        if self.force:
            # Whoever did the work tells of it, also if it is held for somebody else since.
            stranger = owner is not None and requestor_of(node) != self.me
            if self.report is not None and stranger:
                raise MistakeError(f"only {user_of(node)} reports how it went on node {node.id}")
            return
        if node.state is NodeState.IN_USE and not _kept(node):
            raise MistakeError(
                f"node {node.id} is in use by {user_of(node)}; --force takes it away"
            )
        if owner is not None:
            how = "held for" if node.state is NodeState.HOLD else "kept by"
            raise MistakeError(
                f"node {node.id} is {how} {owner}, not {self.me}; --force takes it away"
            )


def _kept(node: Node) -> bool:
    data = node.doc.get("user_data")
    ours = data.get("remuda") if isinstance(data, dict) else None
    return isinstance(ours, dict) and ours.get(KEPT) is True
