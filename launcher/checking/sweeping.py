"""``remuda cloud sweep``: servers that carry our tag but have no record, and what to do with them.

A launcher deletes those by itself that are surely leaks. If there are too many at once, or they
cannot have been made from this ZooKeeper's records, it stops and waits for a person: here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from launcher.checking.opening import open_cloud, read_config
from launcher.provider import writes as provider_writes
from launcher.server.strays import Origin
from remuda import logs
from remuda.cli import output
from remuda.cli.context import CommandContext
from remuda.cli.errors import CommandFailedError, MistakeError, PlainCommand
from remuda.cli.terminal import confirm_or_abort, say
from remuda.cloud.api import Cloud, CloudError, Server
from remuda.membership.installation import InstallationError, check_pinned
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, ProviderName, ServerId, is_node_id
from remuda.model.installation import decode_installation
from remuda.model.permit import LIFE_S, encode_permit, new_permit
from remuda.model.status import decode_status
from remuda.store import paths
from remuda.store.api import Store

_COLUMNS = ("SERVER", "NAME", "STATUS", "AGE", "POOL", "LABEL", "STAYS BECAUSE")
#: A node's id is far shorter; what somebody else wrote in its place need not be.
_NODE_CHARS_MAX = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What was found.

    Attributes:
        servers: Those that a launcher may delete.
        nameless: Those that carry our tag, but no id of a node: nothing says what they were made
            for, so nobody can make sure that no record speaks for them, and no launcher deletes
            them.
        kept: Nodes of those servers that users can still see: no launcher deletes these.
        unknown: Servers that cannot have been made from this ZooKeeper's records.
        stopped: Why the launcher leaves servers alone, or None.
    """

    servers: tuple[Server, ...]
    nameless: tuple[Server, ...] = ()
    kept: tuple[str, ...]
    unknown: tuple[ServerId, ...]
    stopped: str | None


def our_owner(store: Store, provider: str, pinned: str | None = None) -> tags.Owner:
    """Return who we are in the cloud.

    Args:
        store: Holds the id of the installation.
        provider: Whose servers.
        pinned: The id that the configuration demands.

    Raises:
        MistakeError: If ZooKeeper does not say so, or holds another id than is demanded.
    """
    (found,) = store.read_fresh([paths.INSTALLATION])
    try:
        raw = b"" if found is None else found.value
        installation = decode_installation(paths.INSTALLATION, raw)
    except CorruptRecordError as exc:
        raise MistakeError(f"{exc}: has a launcher ever run on this ZooKeeper?") from exc
    try:
        check_pinned(installation, pinned)
    except InstallationError as exc:
        raise MistakeError(str(exc)) from exc
    return tags.Owner(installation=installation, provider=ProviderName(provider))


def look(store: Store, cloud: Cloud, owner: tags.Owner) -> Left:
    """Return the servers of ours that have no record: ZooKeeper is asked after the cloud.

    Raises:
        CloudError: If the cloud does not tell.
        StoreError: If ZooKeeper does not.
    """
    ours = [server for server in cloud.list_servers() if tags.marked(server.tags, owner)]
    tagged = [(server, node) for server in ours if (node := _node(server, owner)) is not None]
    records = store.read_fresh([paths.launch(owner.provider, node) for _, node in tagged])
    left = [one for one, record in zip(tagged, records, strict=True) if record is None]
    nodes = store.read_fresh([paths.node(node) for _, node in left])
    origin = _origin(store)
    return Left(
        servers=tuple(server for server, _ in left),
        nameless=tuple(server for server in ours if _node(server, owner) is None),
        kept=tuple(
            node
            for (_, node), record in zip(left, nodes, strict=True)
            if record is not None and record.value
        ),
        unknown=tuple(server.id for server, node in left if not origin.made(server, node)),
        stopped=_stopped(store, owner.provider),
    )


def _node(server: Server, owner: tags.Owner) -> NodeId | None:
    node = tags.owned_node(server.tags, owner)
    return node if node is not None and is_node_id(node) else None


def _why_nameless(server: Server) -> str:
    node = server.tags.get(tags.NODE_ID, "")
    if not is_node_id(node):
        return f"its tags name no node: {node[:_NODE_CHARS_MAX]!a}"
    return "its tags are not complete: pool or label is missing"


def _origin(store: Store) -> Origin:
    installation, counter = store.read_fresh([paths.INSTALLATION, paths.NODE_COUNTER])
    return Origin(
        drawn=-1 if counter is None else counter.version,
        installation_s=float("inf") if installation is None else installation.modified_s,
    )


def _stopped(store: Store, provider: str) -> str | None:
    found = store.read(paths.status(provider))
    try:
        return None if found is None else decode_status(provider, found.value).sweep
    except CorruptRecordError:
        return None


def check_effect(left: Left, owner: tags.Owner, *, pinned: bool) -> None:
    """Refuse a permission that a launcher would not honour for all of the servers that it names.

    Args:
        left: What is to be permitted.
        owner: Who we are in the cloud.
        pinned: Whether the configuration says so, too.

    Raises:
        MistakeError: If it would not; the message says what to write instead.
    """
    if left.unknown and not pinned:
        raise MistakeError(
            f"nothing was permitted: {len(left.unknown)} of these servers cannot have been made"
            " from this ZooKeeper's records, and a launcher deletes those only if its configuration"
            f" names the installation: if they are yours, write installation:"
            f" {owner.installation} at the top level of the configuration, and ask again"
        )


def permit(store: Store, provider: str, servers: Sequence[ServerId], *, now_s: float) -> None:
    """Let the launcher on duty delete these, as far as they have no record when it does."""
    record = encode_permit(new_permit(servers, now_s=now_s))
    found = store.read(paths.sweep_permit(provider))
    version = None if found is None else found.version
    store.commit(provider_writes.permit(provider, record, version))


def left_sheet(left: Left, *, now_s: float) -> output.Sheet:
    """Return them as a table."""
    rows, data = [], []
    for server in left.servers:
        data.append(_server_json(server))
        rows.append(_row(server, "", now_s=now_s))
    notes = [] if rows or left.nameless else ["every server that carries our tag has a record"]
    if left.kept:
        notes.append(f"{paths.NODES} still has {', '.join(left.kept)}: these servers stay")
    if left.stopped is not None:
        notes.append(f"the sweep is stopped: {left.stopped}")
    elif rows:
        notes.append("the launcher deletes them by itself, once it is sure; nothing is to be done")
    if left.nameless:
        rows.extend(_row(one, _why_nameless(one), now_s=now_s) for one in left.nameless)
        notes.append(
            "no launcher deletes what stays, nor does --confirm: ask whoever changed the tags, then"
            " delete it in the cloud (openstack server delete SERVER)"
        )
    return output.Sheet(
        columns=_COLUMNS,
        rows=rows,
        data={
            "servers": data,
            "nameless": [{**_server_json(one), "why": _why_nameless(one)} for one in left.nameless],
            "kept": left.kept,
            "stopped": left.stopped,
        },
        notes=notes,
    )


def _row(server: Server, why: str, *, now_s: float) -> tuple[str, ...]:
    old = output.age(now_s - server.created_s) if server.created_s else ""
    doc = _server_json(server)
    return (server.id, server.name, str(server.status), old, doc["pool"], doc["label"], why)


def _server_json(server: Server) -> dict[str, Any]:
    return {
        "server": server.id,
        "name": server.name,
        "status": str(server.status),
        "created_at_s": server.created_s or None,
        "node": server.tags.get(tags.NODE_ID),
        "pool": server.tags.get(tags.POOL, ""),
        "label": server.tags.get(tags.LABEL, ""),
    }


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda cloud sweep east --config /etc/remuda/remuda.yaml",
        "remuda cloud sweep east --confirm",
    ),
)
@click.argument("provider")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="REMUDA_CONFIG",
    help="The configuration file. [env: REMUDA_CONFIG]",
)
@click.option("--confirm", is_flag=True, help="Have exactly these servers deleted; asks first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@click.pass_context
def sweep(
    ctx: click.Context,
    provider: str,
    config: Path | None,
    *,
    confirm: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show the servers of PROVIDER that carry our tag but have no record in this ZooKeeper.

    A launcher that finds many of them deletes none: is it the right ZooKeeper? With --confirm it
    deletes those that are shown, as far as they have no record when it does so.
    """
    context = ctx.obj if isinstance(ctx.obj, CommandContext) else CommandContext()
    path = config or context.config
    reading = read_config(path, provider)
    logs.configure("plain", "WARNING")
    assert reading.config is not None  # noqa: S101 - read_config saw to it
    found = CommandContext(
        config=path, zookeeper=context.zookeeper, connect=context.connect, clock=context.clock
    )
    now_s = context.clock.now_s()
    with found.store() as store:
        owner = our_owner(store, provider, reading.config.installation)
        with open_cloud(reading.config, owner, context.clock) as cloud:
            try:
                left = look(store, cloud, owner)
            except CloudError as exc:
                raise CommandFailedError(f"the cloud does not tell: {exc}", 1) from exc
        sheet = left_sheet(left, now_s=now_s)
        if as_json:
            output.emit_json(sheet.data)
        else:
            output.show([sheet])
        if not confirm or not left.servers:
            return
        check_effect(left, owner, pinned=reading.config.installation is not None)
        count = len(left.servers)
        if not yes:
            confirm_or_abort(f"Delete {count} of {owner.installation!r} for good?")
        permit(store, provider, [server.id for server in left.servers], now_s=now_s)
    say(
        f"permitted for {LIFE_S / 60:.0f} minutes: the launcher on duty deletes those of the"
        f" {count} that have no record, once it has seen each for a while",
        err=True,
    )
