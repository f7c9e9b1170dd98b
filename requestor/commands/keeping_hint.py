"""What is said after a failed run: which machines are kept and how long, or how to keep one."""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from remuda.insight import tree
from remuda.model.autohold import Autohold
from remuda.model.codec import CorruptRecordError
from remuda.model.hold import Hold
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.moments import lasting
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, StoreError
from requestor.commands.streams import RunReporter
from requestor.errors import RequestorError
from requestor.holding import read_launch
from requestor.nodes import LeasedNode

log = logging.getLogger(__name__)

#: A launcher decides within moments what becomes of a machine that was given back.
DECIDED_S: Final = 3.0
LOOK_S: Final = 0.1
_UNDECIDED: Final = frozenset({NodeState.IN_USE, NodeState.USED})


def tell_kept(
    reporter: RunReporter, store: Store, clock: Clock, failed: Sequence[LeasedNode]
) -> None:
    """Say of machines that were given back after a failure which are held; never fails.

    Args:
        reporter: Whom to tell.
        store: Where it stands.
        clock: For the wait, which there is only if an autohold waits for such a failure.
        failed: Whose command has failed.
    """
    if not failed:
        return
    try:
        waiting = _waiting(store, clock.now_s())
        matched = [one for one in failed if any(_meant(each, one) for each in waiting)]
        until_s = clock.monotonic_s() + DECIDED_S
        kept = [(one, hold) for one in matched if (hold := _held(store, clock, one.id, until_s))]
    except (StoreError, RequestorError, CorruptRecordError) as error:
        log.info("what became of the machines is not known: %s", error)
        return
    for node, hold in kept:
        by = f"autohold {hold.autohold}" if hold.autohold else "its launcher"
        reporter.tell(
            "kept",
            f"node {node.id} is kept by {by}: remuda ssh {node.id}; remuda release {node.id}",
            node=node.id,
            autohold=hold.autohold,
            ends_at_s=hold.ends_s,
        )
    if not kept:
        label = failed[0].label
        reporter.tell(
            "hint",
            "no machine was kept; --hold-on-failure keeps the next one, or "
            f"`remuda autohold add --label {label} --reason WHY`",
            label=label,
        )


def tell_held(
    reporter: RunReporter, store: Store, clock: Clock, held: Sequence[LeasedNode], for_s: float
) -> None:
    """Say of machines that we have set held for how long their launchers keep them; never fails.

    Args:
        reporter: Whom to tell.
        store: Where it stands.
        clock: For the wait.
        held: Those machines.
        for_s: How long was wished: said of one of which nobody has said anything yet.
    """
    until_s = clock.monotonic_s() + DECIDED_S
    for node in held:
        hold = _granted(store, clock, node.id, until_s)
        if hold is None:
            how = f"{lasting(for_s)}, as wished; its launcher has not answered yet (remuda holds)"
        else:
            how = lasting(round(hold.for_s))
            how += "" if hold.bounded is None else f" ({hold.bounded})"
        reporter.tell(
            "held",
            f"node {node.id} is held for {how}: remuda ssh {node.id}; remuda release {node.id}",
            node=node.id,
            seconds=for_s if hold is None else round(hold.for_s),
            ends_at_s=None if hold is None else hold.ends_s,
            bounded=None if hold is None else hold.bounded,
        )


def _granted(store: Store, clock: Clock, node_id: NodeId, until_s: float) -> Hold | None:
    """Return the hold of a node that is set held, once its launcher has put it on record."""
    pause = threading.Event()
    try:
        while True:
            hold = _held(store, clock, node_id, until_s)
            if hold is not None and hold.begun:
                return hold
            if clock.monotonic_s() >= until_s:
                return None
            pause.wait(LOOK_S)
    except (StoreError, RequestorError, CorruptRecordError) as error:
        log.info("for how long node %s is held is not known: %s", node_id, error)
        return None


def _waiting(store: Store, now_s: float) -> list[Autohold]:
    """Return the autoholds that wait, or that have just fired for the last time."""
    level = tree.autoholds(tree.reader(store)(paths.AUTOHOLDS))
    return [one for one in level.records.values() if now_s < one.until_s]


def _meant(autohold: Autohold, node: LeasedNode) -> bool:
    job = node.facts.job
    jobs = () if job is None else (job.job, job.text)
    return autohold.matches(
        label=node.label,
        requestor=node.facts.requestor or "",
        jobs=tuple(one for one in jobs if one),
    )


def _held(store: Store, clock: Clock, node_id: NodeId, until_s: float) -> Hold | None:
    """Return the hold of a node once its launcher has decided; None: it is not held."""
    pause = threading.Event()
    while True:
        stored = store.read(paths.node(node_id))
        if stored is None or not stored.value:
            return None
        node = tree.decode_node(node_id, stored.value)
        if node.state is NodeState.HOLD:
            launch = read_launch(store, node)
            return None if launch is None else launch.hold
        if node.state not in _UNDECIDED or clock.monotonic_s() >= until_s:
            return None
        pause.wait(LOOK_S)
