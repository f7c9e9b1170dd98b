"""What is said after a failed run: which machines are kept and how long, or how to keep one."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from remuda.insight import tree
from remuda.model.autohold import Autohold
from remuda.model.codec import CorruptRecordError
from remuda.model.hold import Hold
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.moments import lasting
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, StoreError
from requestor.commands.streams import RunReporter
from requestor.errors import RequestorError
from requestor.holding import read_launch
from requestor.nodes import LeasedNode
from requestor.owning import node_owner

log = logging.getLogger(__name__)

#: A launcher decides within moments what becomes of a machine that was given back.
DECIDED_S: Final = 3.0
LOOK_S: Final = 0.1
_UNDECIDED: Final = frozenset({NodeState.IN_USE, NodeState.USED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A node, and what its launcher says of its hold; None: nothing, or it is not held."""

    node: Node
    hold: Hold | None


def tell_kept(
    reporter: RunReporter, store: Store, clock: Clock, failed: Sequence[LeasedNode], *, me: str
) -> None:
    """Say of machines that were given back after a failure which are held; never fails.

    Args:
        reporter: Whom to tell.
        store: Where it stands.
        clock: For the wait, which there is only if an autohold waits for such a failure.
        failed: Whose command has failed.
        me: What we are called: what is kept for somebody else, we can neither enter nor release.
    """
    if not failed:
        return
    try:
        waiting = _waiting(store, clock.now_s())
        matched = [one for one in failed if any(_meant(each, one) for each in waiting)]
        until_s = clock.monotonic_s() + DECIDED_S
        looked = [_kept(store, clock, one.id, until_s) for one in matched]
    except (StoreError, RequestorError, CorruptRecordError) as error:
        log.info("what became of the machines is not known: %s", error)
        return
    kept = [(one.node, one.hold) for one in looked if one is not None and one.hold is not None]
    for node, hold in kept:
        by = f"autohold {hold.autohold}" if hold.autohold else "its launcher"
        owner = node_owner(node, me=me, hold=hold)
        whose = f": remuda ssh {node.id}; remuda release {node.id}"
        if owner is not None:
            whose = f", for {owner}"
        reporter.tell(
            "kept",
            f"node {node.id} is kept by {by}{whose}",
            node=node.id,
            autohold=hold.autohold,
            owner=hold.owner,
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


class HeldTeller:
    """Says of machines that we set held for how long their launchers keep them; never fails.

    Each is told of once: by :meth:`ask` as soon as its launcher has answered, else by
    :meth:`say_rest` as wished. Thread-safe.

    Args:
        reporter: Whom to tell.
        store: Where it stands.
        clock: For the wait.
        for_s: How long was wished: said of one of which nobody has said anything yet.
    """

    def __init__(self, reporter: RunReporter, store: Store, clock: Clock, *, for_s: float) -> None:
        self._reporter = reporter
        self._store = store
        self._clock = clock
        self._for_s = for_s
        self._lock = threading.Lock()
        self._untold: list[LeasedNode] = []
        self._over = threading.Event()

    def add(self, node: LeasedNode) -> None:
        """Take a machine that is set held; once the rest is said, it is told of at once."""
        with self._lock:
            self._untold.append(node)
            if self._over.is_set():
                self._tell(node, None)

    def ask(self) -> None:
        """Wait until every launcher has answered, not for long, and for ZooKeeper only once."""
        until_s = self._clock.monotonic_s() + DECIDED_S
        try:
            while untold := self._still_untold():
                for node in untold:
                    if self._over.is_set():
                        return
                    self._look(node)
                    if self._clock.monotonic_s() >= until_s:
                        return
                self._over.wait(LOOK_S)
        except StoreError as error:
            log.info("for how long machines are held is not known: %s", error)

    def say_rest(self) -> None:
        """Tell now of all of which nobody has answered, and wait for nobody any more.

        Whoever is asked to end may have no time for more.
        """
        with self._lock:
            self._over.set()
            for node in tuple(self._untold):
                self._tell(node, None)

    def _still_untold(self) -> tuple[LeasedNode, ...]:
        with self._lock:
            return tuple(self._untold)

    def _look(self, node: LeasedNode) -> None:
        """Tell of a machine if its launcher has answered, or if nobody can read what it says."""
        try:
            found = _read(self._store, node.id)
        except (RequestorError, CorruptRecordError) as error:
            log.info("for how long node %s is held is not known: %s", node.id, error)
            hold = None
        else:
            hold = None if found is None else found.hold
            if hold is None or not hold.begun:
                return
        with self._lock:
            self._tell(node, hold)

    def _tell(self, node: LeasedNode, hold: Hold | None) -> None:
        """Tell of a machine, unless somebody has; under the lock."""
        if node not in self._untold:
            return
        self._untold.remove(node)
        for_s = self._for_s
        if hold is None:
            how = f"{lasting(for_s)}, as wished; its launcher has not answered yet (remuda holds)"
        else:
            how = lasting(round(hold.for_s))
            how += "" if hold.bounded is None else f" ({hold.bounded})"
        self._reporter.tell(
            "held",
            f"node {node.id} is held for {how}: remuda ssh {node.id}; remuda release {node.id}",
            node=node.id,
            seconds=for_s if hold is None else round(hold.for_s),
            ends_at_s=None if hold is None else hold.ends_s,
            bounded=None if hold is None else hold.bounded,
        )


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


def _kept(store: Store, clock: Clock, node_id: NodeId, until_s: float) -> _Held | None:
    """Return the hold of a node once its launcher has decided; None: it is not held."""
    pause = threading.Event()
    while True:
        found = _read(store, node_id)
        if found is None or found.hold is not None:
            return found
        if found.node.state not in _UNDECIDED or clock.monotonic_s() >= until_s:
            return None
        pause.wait(LOOK_S)


def _read(store: Store, node_id: NodeId) -> _Held | None:
    """Return a node, with its hold if it is held; None: there is no such node any more."""
    stored = store.read(paths.node(node_id))
    if stored is None or not stored.value:
        return None
    node = tree.decode_node(node_id, stored.value)
    launch = read_launch(store, node) if node.state is NodeState.HOLD else None
    return _Held(node=node, hold=None if launch is None else launch.hold)
