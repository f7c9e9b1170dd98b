"""Lanes: what is done in threads, by whom, and how much of it at once.

Each kind of action has one lane, and each lane its own threads, so that what takes long, or hangs,
holds up nothing of another kind. What has to wait for a place in its lane waits here, where it is
still judged, and not in a queue of threads, where it would only grow old
(docs/adr/0014-lanes-and-fences.md).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from launcher.actions import (
    Action,
    Address,
    Autopsy,
    Create,
    Delete,
    DeleteLeak,
    FindPorts,
    Knock,
    ListServers,
    Prove,
    Rescue,
    Survey,
    Tidy,
)
from remuda.model.ids import NodeId


class Lane(StrEnum):
    """A set of threads for actions of one kind."""

    LIST = "list"
    EVIDENCE = "evidence"
    OTHER = "other"
    CREATE = "create"
    DELETE = "delete"
    PROOF = "proof"
    KNOCK = "knock"


#: The lane of every action that is not a transaction.
LANES: Final[Mapping[type, Lane]] = {
    ListServers: Lane.LIST,
    FindPorts: Lane.LIST,
    Survey: Lane.OTHER,
    Autopsy: Lane.EVIDENCE,
    Tidy: Lane.OTHER,
    Rescue: Lane.OTHER,
    Create: Lane.CREATE,
    Address: Lane.CREATE,
    Delete: Lane.DELETE,
    DeleteLeak: Lane.DELETE,
    Prove: Lane.PROOF,
    Knock: Lane.KNOCK,
}

#: What a hand does to one node of ours, which is busy meanwhile; a leaked server is nobody's.
NodeWork = Create | Delete | Address | Prove | Knock | Autopsy

#: A proof is one thread for its whole length, some 100 KiB each while it runs.
PROOFS_MIN: Final = 8
PROOFS_MAX: Final = 96
#: Threads at most; they are made when there is something to do. One listing and one look at ports
#: are under way at once; of the others the rate limit, not this, bounds the load on the cloud.
THREADS: Final[Mapping[Lane, int]] = {
    Lane.LIST: 2,
    Lane.EVIDENCE: 4,
    Lane.OTHER: 4,
    Lane.CREATE: 12,
    Lane.DELETE: 8,
    Lane.PROOF: PROOFS_MAX,
    Lane.KNOCK: 8,
}
#: Lanes that may have to be waited for by many; knocks are short, and somebody waits for them.
WAITED_FOR: Final = (Lane.CREATE, Lane.DELETE, Lane.PROOF)


def places(lane: Lane, max_concurrency: int) -> int:
    """Return how much may be under way in a lane at once."""
    if lane is Lane.PROOF:
        return min(PROOFS_MAX, max(PROOFS_MIN, max_concurrency))
    return THREADS[lane]


def node_of(action: Action) -> NodeId | None:
    """Return the node that an action in a lane keeps busy, or None."""
    return action.node if isinstance(action, NodeWork) else None


@dataclass(slots=True)
class Lanes:
    """How full the lanes are, and which nodes wait for a place, the longest first.

    Attributes:
        running: Actions under way.
        waiting: Nodes that wait, by lane.
        offered: Nodes that may take a free place in the next turn: they are judged once more.
        since: Since when (monotonic) each of both kinds has waited.
    """

    running: Counter[Lane] = field(default_factory=Counter)
    waiting: dict[Lane, dict[NodeId, None]] = field(
        default_factory=lambda: {lane: {} for lane in WAITED_FOR}
    )
    offered: dict[Lane, set[NodeId]] = field(
        default_factory=lambda: {lane: set() for lane in WAITED_FOR}
    )
    since: dict[NodeId, float] = field(default_factory=dict)

    def admits(self, lane: Lane, node: NodeId | None, max_concurrency: int) -> bool:
        """Whether an action may be started now: nobody overtakes those that wait."""
        if lane not in WAITED_FOR or node in self.offered[lane]:
            return True
        return not self.waiting[lane] and self._free(lane, max_concurrency) > 0

    def wait(self, lane: Lane, node: NodeId, now_s: float) -> None:
        """Let a node wait for a place; it keeps the one in the queue that it has."""
        self.waiting[lane][node] = None
        self.since.setdefault(node, now_s)

    def enter(self, lane: Lane, node: NodeId | None, now_s: float) -> float:
        """Take a place, and return how many seconds the node has waited for it."""
        self.running[lane] += 1
        if node is None or lane not in WAITED_FOR:
            return 0.0
        self.offered[lane].discard(node)
        self.waiting[lane].pop(node, None)
        return now_s - self.since.pop(node, now_s)

    def leave(self, lane: Lane) -> None:
        """Give a place back."""
        self.running[lane] -= 1

    def retract(self, now_s: float) -> dict[NodeId, float]:
        """Take back the places that were offered and not taken, and return who waited how long.

        Who did not take one does not want it now; it may wait again, from then on.
        """
        left = set().union(*self.offered.values())
        for lane in WAITED_FOR:
            self.offered[lane] = set()
        return {node: now_s - self.since.pop(node, now_s) for node in left}

    def offer(self, max_concurrency: int) -> set[NodeId]:
        """Offer the free places to those that have waited longest, and return them."""
        for lane in WAITED_FOR:
            free = self._free(lane, max_concurrency)
            for node in list(self.waiting[lane])[: max(0, free)]:
                del self.waiting[lane][node]
                self.offered[lane].add(node)
        return set().union(*self.offered.values())

    def _free(self, lane: Lane, max_concurrency: int) -> int:
        return places(lane, max_concurrency) - self.running[lane] - len(self.offered[lane])
