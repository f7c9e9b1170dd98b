"""Taking a held machine home: wished in the node's record, and waited for."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from remuda.insight.takehomes import read_take_home
from remuda.model import launch as launch_record
from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.holdwish import HoldWish, SnapshotWish, wish_fields, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.model.takehome import EndWish, SnapshotAnswer, TakeHome, TakeHomeState, encode_end_wish
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Create, ExistsError, MissingError, Set, StaleWriteError, Store
from requestor.errors import RequestorError

#: So long the launcher has to answer.
ANSWER_S: Final = 10.0
_LOOK_S: Final = 0.25
_ATTEMPTS_MAX: Final = 5
_OPEN: Final = frozenset({TakeHomeState.ASKED, TakeHomeState.MAKING, TakeHomeState.WHOLE})


class TakeHomeError(RequestorError):
    """A machine is not taken home; one sentence says why. Its hold is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WishedImage:
    """What is wished: see :class:`remuda.model.holdwish.SnapshotWish`."""

    by: str
    for_s: float
    share_with: str | None = None
    public: bool = False
    reason: str = "taken home"


def wish_take_home(store: Store, node_id: NodeId, wanted: WishedImage, *, now_s: float) -> str:
    """Write into the record of a held node that it is to become an image; return the token.

    Raises:
        TakeHomeError: It is not held, or is taken home already.
        StoreError: ZooKeeper does not answer.
    """
    token = uuid.uuid4().hex
    snapshot = SnapshotWish(
        token=token,
        share_with=wanted.share_with,
        public=wanted.public,
        for_s=wanted.for_s,
    )
    for _ in range(_ATTEMPTS_MAX):
        node, version = _held(store, node_id)
        found = wish_of(node) or HoldWish(
            token=token, owner=wanted.by, reason=wanted.reason, at_s=now_s
        )
        after = node.with_fields(**wish_fields(replace(found, snapshot=snapshot)))
        data = node_record.encode(after)
        try:
            store.commit([Set(path=paths.node(node_id), data=data, version=version)])
        except (StaleWriteError, MissingError):
            continue
        return token
    raise TakeHomeError(f"node {node_id} changes all the time; try again")


def _held(store: Store, node_id: NodeId) -> tuple[Node, int]:
    (stored,) = store.read_fresh([paths.node(node_id)])
    if stored is None or not stored.value:
        raise TakeHomeError(f"there is no node {node_id}")
    try:
        node, one = node_record.decode(node_id, stored.value), read_take_home(store, node_id)
    except CorruptRecordError as error:
        raise TakeHomeError(f"what tells of node {node_id} cannot be read: {error}") from error
    if node.state not in {NodeState.HOLD, NodeState.IN_USE}:
        raise TakeHomeError(f"node {node_id} is {node.state}: only a held machine is taken home")
    if one is not None and one.state in _OPEN:
        raise TakeHomeError(f"node {node_id} is taken home already")
    return node, stored.version


def await_answer(
    store: Store, clock: Clock, node: NodeId, provider: str, token: str
) -> SnapshotAnswer:
    """Return what the launcher makes of a wish.

    Raises:
        TakeHomeError: It is refused, or nobody has answered in time.
        StoreError: ZooKeeper does not answer.
    """
    path, pause = paths.launch(provider, node), threading.Event()
    ends_s = clock.monotonic_s() + ANSWER_S
    while True:
        stored = store.read(path)
        try:
            launch = None if stored is None else launch_record.decode(node, stored.value)
        except CorruptRecordError as error:
            raise TakeHomeError(f"the launch of node {node} cannot be read: {error}") from error
        answer = None if launch is None else launch.take_home
        if answer is not None and answer.wish.token == token:
            if answer.refused is not None:
                raise TakeHomeError(answer.refused)
            return answer
        if clock.monotonic_s() >= ends_s:
            raise TakeHomeError(
                f"the launcher of node {node} has not answered in {ANSWER_S:g} s; it may yet"
            )
        pause.wait(_LOOK_S)


def await_image(
    store: Store,
    clock: Clock,
    node: NodeId,
    token: str,
    *,
    ends_s: float | None,
    tell: Callable[[TakeHome], None] = lambda _: None,
) -> TakeHome | None:
    """Return the whole image; None: the time is over (*ends_s*, by the monotonic clock).

    Raises:
        TakeHomeError: There will be none.
        StoreError: ZooKeeper does not answer.
    """
    before, pause = None, threading.Event()
    while True:
        try:
            one = read_take_home(store, node)
        except CorruptRecordError as error:
            raise TakeHomeError(f"the image of node {node} cannot be read: {error}") from error
        ours = one is not None and one.wish.token == token
        if one is not None and ours and one != before:
            before = one
            tell(one)
        if one is not None and ours and one.state is TakeHomeState.FAILED:
            raise TakeHomeError(one.failure or "nobody says why there is no image")
        if one is not None and ours and one.state is TakeHomeState.WHOLE:
            return one
        if ends_s is not None and clock.monotonic_s() >= ends_s:
            return None
        pause.wait(_LOOK_S)


def end_take_home(store: Store, one: TakeHome, *, by: str, now_s: float) -> None:
    """Have a take-home image deleted; a builder does it. No error if it is wished already.

    Raises:
        StoreError: ZooKeeper does not answer.
    """
    data = encode_end_wish(EndWish(by=by, at_s=now_s))
    try:
        store.commit([Create(path=paths.take_home_end(one.node), data=data)])
    except ExistsError:
        return
