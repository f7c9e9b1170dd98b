"""`remuda capsule`: all that is known of one machine, that failed or lives.

Of one that lives its launcher is asked, by a wish in the node's record: the command itself has no
cloud. What the launcher writes down then lies where the evidence of failures lies.
"""

import os
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from remuda.cli import output
from remuda.cli.capsule_whole import fetch_whole
from remuda.cli.caveats import tell_what_is_missing, unknown
from remuda.cli.completing import complete_nodes
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import CommandFailedError, MistakeError, PlainCommand
from remuda.cli.node_change import find_node
from remuda.cli.terminal import say
from remuda.cli.views.evidence import evidence, where
from remuda.insight.launches import find_launch, launch_in, why_unread
from remuda.insight.tree import CAPSULES, FAILURES, reader
from remuda.model import node as node_record
from remuda.model.capsule import (
    ASKED,
    Capsule,
    CapsuleKind,
    CapsuleWish,
    Moment,
    capsule_doc,
    decode_capsule,
    wish_fields,
)
from remuda.model.capsulefile import pack
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, is_node_id
from remuda.model.node import Node
from remuda.redaction import redact, redact_text
from remuda.store import paths
from remuda.store.api import MissingError, Set, StaleWriteError, Store

#: A launcher answers within a second; its cloud's console may take longer.
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.2
#: Somebody wrote in between; more often than this is no accident.
_ATTEMPTS_MAX: Final = 5

Found = tuple[str, Capsule]


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda capsule 3000000007",
        "remuda capsule 3000000007 --out failed.tar.gz",
        "remuda capsule 3000000007 --json",
    ),
)
@click.argument("node", metavar="NODE", shell_complete=complete_nodes)
@click.option("--out", metavar="FILE", help="Write it into a file (tar, gzip) that is not there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def capsule(*, context: CommandContext, node: str, out: str | None, as_json: bool) -> None:
    """Show, or take home, all that is known of NODE, which failed or lives."""
    if not is_node_id(node):
        raise MistakeError(f"{node[:40]!a} is no node: write its number, such as 3000000007")
    with context.store() as store:
        provider, found = find(store, NodeId(node), now_s=context.clock.now_s())
        tell_what_is_missing(reader(store))
    if out is not None:
        say(redact_text(_take_home(context, provider, found, Path(out))))
    elif as_json:
        output.emit_json(redact("capsule", {"provider": provider, **capsule_doc(found)}))
    else:
        say(redact_text(evidence(provider, found, context.clock.now_s(), {})))


def find(
    store: Store,
    node: NodeId,
    *,
    now_s: float,
    pause: Callable[[float], object] | None = None,
) -> Found:
    """Return what is known of a node, and who made it: what is final before what is asked for now.

    Raises:
        MistakeError: Nothing is known of it.
        StoreError: ZooKeeper does not answer, or does not let us.
    """
    kept, broken = kept_capsule(store, node)
    if kept is not None and kept[1].kind is not CapsuleKind.ASKED:
        return kept
    stored = find_node(store, node)
    if stored is None:
        if kept is not None:
            return kept
        if broken is not None:
            raise MistakeError(f"the capsule of node {node} is broken: {broken.why}") from broken
        raise MistakeError(unknown(reader(store), f"there is no node {node}, and no capsule of it"))
    living, token = stored.value, secrets.token_hex(16)
    provider = living.provider or ""
    _wish(store, node, CapsuleWish(token=token, at_s=now_s))
    wait = threading.Event().wait if pause is None else pause
    for _ in range(round(ANSWER_S / LOOK_S)):
        found: Capsule | None = None
        with suppress(CorruptRecordError):  # of before; the answer takes its place
            found = _read(store, paths.capsule(provider, node), node)
        if found is not None and found.token == token:
            return provider, found
        wait(LOOK_S)
    return provider, _unanswered(store, living, now_s)


def kept_capsule(store: Store, node: NodeId) -> tuple[Found | None, CorruptRecordError | None]:
    """Return the newest capsule of a node, a failure before what was only asked.

    One that cannot be read, of another provider or from elsewhere, hides none; why is returned.
    """
    found: list[Found] = []
    broken: CorruptRecordError | None = None
    for parent in (FAILURES, CAPSULES):
        for provider in store.children(parent):
            try:
                one = _read(store, f"{parent}/{provider}/{node}", node)
            except CorruptRecordError as exc:
                broken = exc
                continue
            if one is not None:
                found.append((provider, one))
    found.sort(key=lambda pair: (pair[1].kind is not CapsuleKind.ASKED, pair[1].at_s))
    return (found[-1] if found else None), broken


def _read(store: Store, path: str, node: NodeId) -> Capsule | None:
    stored = store.read(path)
    if stored is None or not stored.value:
        return None
    return decode_capsule(node, stored.value)


def _wish(store: Store, node: NodeId, wish: CapsuleWish) -> None:
    path = paths.node(node)
    for _ in range(_ATTEMPTS_MAX):
        stored = find_node(store, node)
        if stored is None:
            return  # it went meanwhile: nobody answers
        wished = stored.value.with_fields(**wish_fields(wish))
        try:
            store.commit([Set(path=path, data=node_record.encode(wished), version=stored.version)])
        except (StaleWriteError, MissingError):
            continue
        return
    raise CommandFailedError(f"node {node} changes all the time; try again", 1)


def _unanswered(store: Store, node: Node, now_s: float) -> Capsule:
    """Return what the records alone tell of a machine whose launcher does not answer."""
    answer = find_launch(store, node)
    launch = launch_in(answer)
    why = f"its launcher has not answered within {ANSWER_S:g} s: this is what its records say"
    if (unread := why_unread(answer)) is not None:
        why = f"{why}; {unread}"
    moments = [] if launch is None else [Moment(name="planned", at_s=launch.planned_s)]
    if launch is not None and launch.active_s is not None:
        moments.append(Moment(name="active", at_s=launch.active_s))
    return Capsule(
        kind=CapsuleKind.ASKED,
        node=node.id,
        label="" if launch is None else launch.label,
        pool="" if launch is None else launch.pool,
        result=ASKED,
        why=why,
        at_s=now_s,
        server=None if launch is None else launch.server,
        request=None if launch is None else launch.needed_by,
        image=None if launch is None else launch.image_build,
        moments=tuple(moments),
        untold="its launcher was not there to do so",
    )


def _take_home(context: CommandContext, provider: str, found: Capsule, out: Path) -> str:
    """Write a capsule into a file, the whole if it can be had; return what was done."""
    data, whys = None, list[str]()
    if not out.exists():  # else nothing is fetched for what cannot be written
        data, whys = fetch_whole(provider, found, context.open_objects, context.clock)
    whole = data is not None
    if data is None:
        data = pack(found)
    try:
        number = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as exc:
        raise MistakeError(f"{out} is there already: name another file") from exc
    except OSError as exc:
        raise MistakeError(f"{out} cannot be written: {exc.strerror}") from exc
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
    except OSError as exc:
        out.unlink(missing_ok=True)
        raise CommandFailedError(f"{out} could not be written: {exc.strerror}", 1) from exc
    size = f"{out}: {-(-len(data) // 1024)} KiB"
    if whole:
        return f"{size}, the whole capsule"
    lost = [f"not fetched from {why}" for why in whys]
    lost += [where(one) for one in found.kept if one.why is not None]
    return "; ".join([f"{size}, with the ends of its texts", *lost])
