"""Having a node kept for a person, or for longer: wished in its record, and waited for."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from remuda.insight.launches import BrokenLaunch, ClosedLaunch, find_launch, launch_in
from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import Fields
from remuda.model.hold import Hold
from remuda.model.holdwish import (
    EXTENDS_MAX,
    FOR_S_MAX,
    HOLD_KEY,
    ExtendWish,
    HoldWish,
    read_wish,
    wish_fields,
    wish_of,
)
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeState
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import (
    Check,
    MissingError,
    Op,
    Set,
    StaleWriteError,
    Store,
)
from remuda.store.locks import holder
from requestor.accept import ATTEMPTS_MAX
from requestor.errors import HoldRefusedError, InvalidOptionsError, RequestorError
from requestor.owning import node_owner
from requestor.rereading import read_node

#: A launcher answers within a second; who waits longer is told that nobody did.
ANSWER_S: Final = 10.0
LOOK_S: Final = 0.1

#: Makes the wish of a node whose record and hold are as they were read, or raises.
MakeWish = Callable[[Node, Hold | None, str | None], HoldWish]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """A node of which something was wished."""

    node: Node
    wish: HoldWish


def new_token() -> str:
    """Return what no other wish is called."""
    return uuid.uuid4().hex


def check_time(seconds: float | None) -> float:
    """Return a time as wishes have it: 0 for what the configuration says.

    Raises:
        InvalidOptionsError: If nothing is held for so long.
    """
    if seconds is None:
        return 0.0
    if not 1.0 <= seconds <= FOR_S_MAX:
        raise InvalidOptionsError(f"a hold of {seconds:g} s is none: write 1 s to 366 d")
    return seconds


def wish_hold(me: str, *, reason: str, for_s: float, owner: str | None, now_s: float) -> MakeWish:
    """Return what makes the wish that a node in use be kept once its job lets it go."""
    token = new_token()

    def make(node: Node, hold: Hold | None, contender: str | None) -> HoldWish:
        stranger = node_owner(node, me=me)
        if node.state is NodeState.HOLD:
            raise InvalidOptionsError(
                f"node {node.id} is held already, with a reason: `remuda extend {node.id}` keeps "
                f"it for longer, `remuda hold {node.id} --snapshot` without --reason takes it home"
            )
        if stranger is not None:
            raise InvalidOptionsError(
                f"node {node.id} is of {stranger}, not of {me}: only who holds a node may have it "
                "kept"
            )
        if node.state is not NodeState.IN_USE or contender is None:
            raise InvalidOptionsError(
                f"node {node.id} is {node.state.said}: only a node that is in use can be kept, by "
                "whoever has it in use"
            )
        if hold is not None and hold.begun:
            raise InvalidOptionsError(f"node {node.id} was held before, and is not held again")
        return HoldWish(
            token=token,
            owner=owner or me,
            reason=reason,
            at_s=now_s,
            for_s=for_s,
            contender=contender,
        )

    return make


def wish_more(me: str, *, for_s: float, now_s: float) -> MakeWish:
    """Return what makes the wish that a hold last longer."""
    more = ExtendWish(token=new_token(), by=me, for_s=for_s, at_s=now_s)

    def make(node: Node, hold: Hold | None, _contender: str | None) -> HoldWish:
        if node.state is not NodeState.HOLD:
            raise InvalidOptionsError(
                f"node {node.id} is {node.state.said}: only what is held can be held for longer"
            )
        before = wished_so_far(node)
        if before is None:
            owner = me if hold is None else hold.owner
            before = HoldWish(token=new_token(), owner=owner, reason="", at_s=now_s)
        return replace(before, extend=(*before.extend, more)[-EXTENDS_MAX:])

    return make


def wished_so_far(node: Node) -> HoldWish | None:
    """Return what is wished of a node already, to which more is added; None: nothing is.

    Raises:
        RequestorError: It cannot be read. A wish in its place would take keys off the machine.
    """
    found = wish_of(node)
    if found is None and node.doc.get(HOLD_KEY) is not None:
        raise RequestorError(
            f"what is wished of node {node.id} cannot be read, and nothing can be added to it: "
            f"its hold goes on as it is ({HOLD_KEY} in the node's record)"
        )
    return found


def with_wish(node: Node, wish: HoldWish) -> Node:
    """Return the record of a node with a wish that whoever reads it understands.

    Raises:
        InvalidOptionsError: It holds a name that is none. Written all the same, it would make
            everything that is wished of the node unreadable.
    """
    fields = wish_fields(wish)
    try:
        read_wish(Fields("wish", fields[HOLD_KEY]))
    except CorruptRecordError as error:
        raise InvalidOptionsError(f"nothing like this can be wished: {error.why}") from error
    return node.with_fields(**fields)


def write_wish(store: Store, node_id: NodeId, make: MakeWish) -> Wished:
    """Write a wish into the record of a node, as it is when that is done.

    Raises:
        InvalidOptionsError: If there is no such node, or *make* says why it cannot be.
        RequestorError: If a record cannot be read, or changes all the time.
        StoreAwayError: If ZooKeeper does not answer.
    """
    path = paths.node(node_id)
    for _ in range(ATTEMPTS_MAX):
        stored = read_node(store, node_id)
        node = stored.value
        launch = read_launch(store, node)
        contender = holder(store.children(paths.node_lock(node_id)))
        wish = make(node, None if launch is None else launch.hold, contender)
        asked = with_wish(node, wish)
        ops: list[Op] = []
        if wish.contender is not None and wish.contender == contender:
            ops.append(Check(path=f"{paths.node_lock(node_id)}/{contender}"))
        ops.append(Set(path=path, data=node_record.encode(asked), version=stored.version))
        try:
            store.commit(ops)
        except (StaleWriteError, MissingError):
            continue
        return Wished(node=asked, wish=wish)
    raise RequestorError(f"node {node_id} changes all the time; try again")


def read_launch(store: Store, node: Node) -> Launch | None:
    """Return the launch record of a node, or None if it has none.

    Raises:
        RequestorError: If it cannot be read.
        NotPermittedError: If launch records are closed to us.
        StoreAwayError: If ZooKeeper does not answer.
    """
    match find_launch(store, node):
        case BrokenLaunch(why):
            raise RequestorError(f"what tells of the hold cannot be read: {node.id}: {why}")
        case ClosedLaunch(error):
            raise error
        case answer:
            return launch_in(answer)


def held_as(store: Store, node: Node) -> Hold | None:
    """Return what the launcher of a held node says of its hold; None: nothing that can be read.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    if node.state is not NodeState.HOLD:
        return None
    launch = launch_in(find_launch(store, node))
    # If there is nothing to read, it is held for whom the node's own record names.
    return None if launch is None else launch.hold


def wait_for_answer(
    store: Store, clock: Clock, wished: Wished, *, check: Callable[[], None] = lambda: None
) -> Hold:
    """Return the hold once its launcher has answered the wish that was made last.

    Raises:
        HoldRefusedError: If it is refused, with the rule; or nobody has answered in time.
        RequestorError: If a record cannot be read, and what *check* raises.
        StoreAwayError: If ZooKeeper does not answer.
    """
    until_s, pause = clock.monotonic_s() + ANSWER_S, threading.Event()
    while True:
        check()
        launch = read_launch(store, wished.node)
        found = None if launch is None else _answer(wished.node.id, launch.hold, wished.wish)
        if found is not None:
            return found
        if clock.monotonic_s() >= until_s:
            raise HoldRefusedError(
                wished.node.id,
                f"its launcher has not answered in {ANSWER_S:g} s; it may yet do so",
                wished="extended" if wished.wish.extend else "granted",
                silent=True,
            )
        pause.wait(LOOK_S)


def _answer(node: NodeId, hold: Hold | None, wish: HoldWish) -> Hold | None:
    """Return the hold if it answers a wish.

    Raises:
        HoldRefusedError: If the answer is no.
    """
    if hold is None:
        return None
    if not wish.extend:
        if hold.asked_token != wish.token:
            return None
        if hold.refused is not None:
            raise HoldRefusedError(node, hold.refused)
        return hold
    said = next((one for one in hold.extended if one.token == wish.extend[-1].token), None)
    if said is not None and said.refused is not None:
        raise HoldRefusedError(node, said.refused, wished="extended")
    return None if said is None else hold
