"""Keys on held machines: wished in the node's record, answered by its launcher, waited for."""

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from remuda.model import node as node_record
from remuda.model.hold import Hold, HoldKey
from remuda.model.holdwish import KEYS_MAX, HoldWish, KeyWish
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.model.publickey import TEXT_BYTES_MAX, PublicKey, PublicKeyError, parse_keys
from remuda.runtime.clock import Clock
from remuda.ssh.errors import KeySourceError
from remuda.store import paths
from remuda.store.api import MissingError, Set, StaleWriteError, Store
from requestor.errors import KeyRefusedError, RequestorError
from requestor.holding import read_launch, wished_so_far, with_wish
from requestor.rereading import read_node

#: So long the launcher has to answer; it logs in to the machine for that.
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.2
#: Somebody wrote in between; more often than this is no accident.
_ATTEMPTS_MAX: Final = 5


def file_keys(path: str) -> tuple[PublicKey, ...]:
    """Return the public keys in a file.

    Raises:
        KeySourceError: It cannot be read, or holds none.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            text = file.read(TEXT_BYTES_MAX + 1).decode("utf-8", errors="replace")
        return parse_keys(text)
    except OSError as error:
        raise KeySourceError(f"key file {path}: {error.strerror or error}") from None
    except PublicKeyError as error:
        raise KeySourceError(f"key file {path} {error}") from None


def key_wishes(
    keys: Iterable[PublicKey], developer: str | None, *, by: str, account: str | None, now_s: float
) -> tuple[KeyWish, ...]:
    """Return what is wished: one wish for each key, or one for a developer."""
    lines: list[str | None] = [one.said for one in keys] if developer is None else [None]
    return tuple(
        KeyWish(
            token=uuid.uuid4().hex,
            by=by,
            at_s=round(now_s, 3),
            line=line,
            developer=None if line else developer,
            account=account,
        )
        for line in lines
    )


def wish_keys(
    store: Store,
    node_id: NodeId,
    change: Callable[[tuple[KeyWish, ...]], tuple[KeyWish, ...]],
    *,
    judge: Callable[[Node], None],
    by: str,
    now_s: float,
) -> Node:
    """Change which keys are wished of a held node; return it as it is written.

    Args:
        store: Where it is.
        node_id: The node.
        change: From the wishes that are there to those that are to be.
        judge: Raises if this node is not ours to change.
        by: Who wishes.
        now_s: Wall clock.

    Raises:
        KeyRefusedError: If it is not held, or has too many keys.
        InvalidOptionsError: If there is no such node, or a wish names what cannot be.
        RequestorError: If its record cannot be read, or changes all the time.
        StoreAwayError: If ZooKeeper does not answer.
    """
    path = paths.node(node_id)
    for _ in range(_ATTEMPTS_MAX):
        stored = read_node(store, node_id)
        node = stored.value
        judge(node)
        wish = _wish(node, by=by, now_s=now_s)
        refused = _refused(read_hold(store, node), now_s=now_s)
        wished = change(tuple(one for one in wish.keys if one.token not in refused))
        if len(wished) > KEYS_MAX:
            raise KeyRefusedError(
                f"node {node_id} has {len(wish.keys)} keys, and {KEYS_MAX} are the most: "
                "take one off (remuda key remove)"
            )
        after = with_wish(node, replace(wish, keys=wished))
        try:
            store.commit([Set(path=path, data=node_record.encode(after), version=stored.version)])
        except (StaleWriteError, MissingError):
            continue
        return after
    raise RequestorError(f"node {node_id} changes all the time; try again")


def _wish(node: Node, *, by: str, now_s: float) -> HoldWish:
    if node.state is not NodeState.HOLD:
        raise KeyRefusedError(
            f"node {node.id} is {node.state}: keys are put only onto machines that are held "
            "(remuda hold)"
        )
    return wished_so_far(node) or HoldWish(token=uuid.uuid4().hex, owner=by, reason="", at_s=now_s)


def _refused(hold: Hold | None, *, now_s: float) -> frozenset[str]:
    """Return the tokens of wishes that were refused, and whose people know that by now."""
    keys = () if hold is None else hold.keys
    told_s = now_s - ANSWER_S
    return frozenset(one.token for one in keys if one.refused is not None and one.at_s < told_s)


def read_hold(store: Store, node: Node) -> Hold | None:
    """Return the hold of a node, as its launcher says; None: it says nothing yet.

    Raises:
        RequestorError: If its record cannot be read.
        NotPermittedError: If launch records are closed to us.
        StoreAwayError: If ZooKeeper does not answer.
    """
    launch = read_launch(store, node)
    return None if launch is None else launch.hold


def wait_for_keys(
    store: Store,
    clock: Clock,
    node: Node,
    tokens: frozenset[str],
    *,
    gone: bool,
    check: Callable[[], None] = lambda: None,
) -> tuple[HoldKey, ...] | None:
    """Return what became of the wishes called *tokens*; None: no answer in time.

    Args:
        store: Where the records are.
        clock: The time.
        node: Of which node.
        tokens: Of the wishes.
        gone: Wait until nothing is said of them any more, instead.
        check: Called before each look; what it raises ends the wait.

    Raises:
        RequestorError: If the launch of the node cannot be read, and what *check* raises.
        NotPermittedError: If launch records are closed to us.
        StoreAwayError: If ZooKeeper does not answer.
    """
    pause = threading.Event()
    ends_s = clock.monotonic_s() + ANSWER_S
    while True:
        check()
        hold = read_hold(store, node)
        keys = () if hold is None else hold.keys
        ours = tuple(one for one in keys if one.token in tokens)
        if gone and hold is not None and not ours:
            return ()
        if not gone and {one.token for one in ours} == tokens:
            return ours
        if clock.monotonic_s() >= ends_s:
            return None
        pause.wait(LOOK_S)
