"""Taking a held machine home: wished in the node's record, and waited for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from remuda.insight.takehomes import broken, read_take_home
from remuda.model.codec import CorruptRecordError
from remuda.model.hold import Hold
from remuda.model.holdwish import HoldWish, SnapshotWish
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.model.takehome import (
    EndWish,
    SnapshotAnswer,
    TakeHome,
    TakeHomeState,
    WantedEnd,
    decode_end_wish,
    encode_end_wish,
)
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Create, Delete, ExistsError, MissingError, Op, StaleWriteError, Store
from requestor.accept import ATTEMPTS_MAX
from requestor.errors import HoldRefusedError, InvalidOptionsError, RequestorError
from requestor.holding import (
    ANSWER_S,
    LOOK_S,
    MakeWish,
    Wished,
    new_token,
    read_launch,
    wished_so_far,
)
from requestor.owning import node_owner

_OPEN: Final = frozenset({TakeHomeState.ASKED, TakeHomeState.MAKING, TakeHomeState.WHOLE})
#: A builder answers within a second or two; it may be reading much just then.
BUILDER_S: Final = 20.0
#: A snapshot takes minutes.
_IMAGE_LOOK_S: Final = 0.5


class TakeHomeError(RequestorError):
    """A machine is not taken home; one sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WishedImage:
    """What is wished: see :class:`remuda.model.holdwish.SnapshotWish`; *me* wishes it."""

    me: str
    for_s: float
    share_with: str | None = None
    public: bool = False

    def of(self, *, force: bool, now_s: float) -> MakeWish:
        """Return what makes the wish that a held machine become an image.

        Args:
            force: Even if it is held for somebody else.
            now_s: Wall clock.

        Raises:
            InvalidOptionsError: If nobody can be meant by it.
        """
        if self.public and self.share_with is not None:
            raise InvalidOptionsError("either one project, or public")
        snapshot = SnapshotWish(
            token=new_token(), share_with=self.share_with, public=self.public, for_s=self.for_s
        )

        def make(node: Node, hold: Hold | None, _contender: str | None) -> HoldWish:
            stranger = node_owner(node, me=self.me, hold=hold)
            if stranger is not None and not force:
                raise InvalidOptionsError(f"node {node.id} is of {stranger}, not of {self.me}")
            kept = hold is not None and hold.granted and node.state is NodeState.IN_USE
            if node.state is not NodeState.HOLD and not kept:
                raise InvalidOptionsError(
                    f"node {node.id} is {node.state.said}: only a held machine is taken home"
                )
            before = wished_so_far(node)
            if before is None:
                owner = self.me if hold is None else hold.owner
                reason = "" if hold is None else hold.reason
                before = HoldWish(token=new_token(), owner=owner, reason=reason, at_s=now_s)
            return replace(before, snapshot=snapshot)

        return make


def refuse_if_taken(store: Store, node: NodeId) -> None:
    """Do nothing unless a machine is taken home already.

    Raises:
        TakeHomeError: It is.
        StoreError: ZooKeeper does not answer.
    """
    one = _read(store, node)
    if one is not None and one.state in _OPEN:
        raise TakeHomeError("it is taken home already")


def _read(store: Store, node: NodeId) -> TakeHome | None:
    try:
        return read_take_home(store, node)
    except CorruptRecordError as error:
        raise TakeHomeError(f"what tells of its image cannot be read: {error}") from error


def await_answer(store: Store, clock: Clock, wished: Wished) -> SnapshotAnswer:
    """Return what the launcher makes of a wish.

    Raises:
        TakeHomeError: It is refused, or nobody has answered in time.
        RequestorError: A record cannot be read.
        StoreError: ZooKeeper does not answer.
    """
    ends_s, pause = clock.monotonic_s() + ANSWER_S, threading.Event()
    while True:
        launch = read_launch(store, wished.node)
        answer = None if launch is None else launch.take_home
        if answer is not None and answer.wish == wished.wish.snapshot:
            if answer.refused is not None:
                raise TakeHomeError(answer.refused)
            return answer
        if clock.monotonic_s() >= ends_s:
            raise TakeHomeError(
                f"its launcher has not answered in {ANSWER_S:g} s; it may yet do so"
            )
        pause.wait(LOOK_S)


def await_image(
    store: Store,
    clock: Clock,
    wished: Wished,
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
        one = _read(store, wished.node.id)
        if one is not None and one.wish == wished.wish.snapshot:
            if one.state is TakeHomeState.FAILED:
                raise TakeHomeError(broken(one))
            if one.state is TakeHomeState.WHOLE:
                return one
            step = (one.state, one.quiet)
            if step != before:  # the record changes more often than what it tells
                before = step
                tell(one)
        if ends_s is not None and clock.monotonic_s() >= ends_s:
            return None
        pause.wait(_IMAGE_LOOK_S)


def end_take_home(store: Store, one: TakeHome, *, by: str, now_s: float) -> None:
    """Have a take-home image deleted; a builder does it. No error if it is wished already.

    Raises:
        RequestorError: Others wish something of it all the time.
        StoreError: ZooKeeper does not answer.
    """
    _wish_end(store, one.node, EndWish(by=by, at_s=now_s))


def keep_take_home(store: Store, clock: Clock, one: TakeHome, *, by: str, for_s: float) -> TakeHome:
    """Have a whole image kept for longer; return it once a builder has granted that.

    It is wished by *by*, for *for_s* more seconds; 0: for as long as may be.

    Raises:
        HoldRefusedError: It is refused, with the rule; or nobody has answered in time.
        RequestorError: It is being deleted, or its record cannot be read.
        StoreError: ZooKeeper does not answer.
    """
    token = new_token()
    _wish_end(store, one.node, EndWish(by=by, at_s=clock.now_s(), token=token, for_s=for_s))
    until_s, pause = clock.monotonic_s() + BUILDER_S, threading.Event()
    while True:
        found = _read(store, one.node)
        if found is None or found.state is TakeHomeState.ENDING:
            raise RequestorError(f"the image of node {one.node} is deleted, and not kept")
        if found.more is not None and found.more.token == token:
            if found.more.refused is not None:
                raise HoldRefusedError(one.node, found.more.refused, wished="extended")
            return found
        if clock.monotonic_s() >= until_s:
            why = f"no builder has answered in {BUILDER_S:g} s; it may yet do so"
            raise HoldRefusedError(one.node, why, wished="extended", silent=True)
        pause.wait(LOOK_S)


def _wish_end(store: Store, node: NodeId, wish: EndWish) -> None:
    """Write a wish, in place of one for more time that nobody has answered yet."""
    path, data = paths.take_home_end(node), encode_end_wish(wish)
    for _ in range(ATTEMPTS_MAX):
        (stored,) = store.read_fresh([path])
        ops: list[Op] = [Create(path=path, data=data)]
        if stored is not None:
            if _deletes(node, stored.value):
                if wish.wants is WantedEnd.NOW:
                    return
                raise RequestorError(f"the image of node {node} is to be deleted already")
            ops.insert(0, Delete(path=path, version=stored.version))
        try:
            store.commit(ops)
        except (ExistsError, StaleWriteError, MissingError):
            continue
        return
    raise RequestorError(f"what is wished of the image of node {node} changes all the time")


def _deletes(node: NodeId, raw: bytes) -> bool:
    try:
        return decode_end_wish(node, raw).wants is WantedEnd.NOW
    except CorruptRecordError:
        return False  # it wishes nothing, and ours takes its place
