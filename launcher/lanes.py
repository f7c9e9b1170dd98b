"""What a launcher does in threads: the lane of each kind of action, and what it keeps busy."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from launcher.actions import Action
from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.node.actions import (
    Adopt,
    Advance,
    CollectEvidence,
    Condemn,
    Free,
    Grow,
    MakeReady,
    Note,
    Probe,
    Prove,
    RemoveRecords,
)
from launcher.provider.actions import Publish, Rescue, Survey, Tidy
from launcher.request.actions import Allocate, Decline, Normalise, Release, WriteVerdict
from launcher.server.actions import (
    Address,
    Create,
    Delete,
    DeleteLeak,
    DropPermit,
    FindPorts,
    ListServers,
)
from remuda.frame.lanes import Lanes
from remuda.frame.work import WorkKind, nothing
from remuda.model.ids import NodeId, ServerId


class Lane(StrEnum):
    """A set of threads for actions of one kind."""

    LIST = "list"
    EVIDENCE = "evidence"
    OTHER = "other"
    CREATE = "create"
    DELETE = "delete"
    PROOF = "proof"
    PROBE = "probe"


#: What is done once at a time, whatever for.
LISTING: Final = "listing"
PORTS: Final = "ports"
SURVEY: Final = "survey"
TIDYING: Final = "tidying"
STATUS: Final = "status"


def machine(node: NodeId) -> tuple[str, str]:
    """Return what a hand in a thread keeps busy when it works on a node of ours."""
    return "machine", node


def noting(node: NodeId) -> tuple[str, str]:
    """Return what is busy while a launch record is written for the stage alone; hands go on."""
    return "note", node


def leak(server: ServerId) -> tuple[str, str]:
    """Return what the deletion of a leaked server keeps busy."""
    return "leak", server


def _machine(action: Any) -> tuple[str, str]:
    return machine(action.node)


#: What these transactions keep busy, the views of requests, claims and nodes say.
_TRANSACTIONS: Final = (
    *(Allocate, Claim, Grow, Decline, Release, Normalise, AdoptClaim, DropClaim, WriteVerdict),
    *(Adopt, Advance, MakeReady, Free, Condemn, RemoveRecords, DropPermit),
)

#: Every kind of action. A server is deleted though a hand that gathers evidence of it hangs.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    **dict.fromkeys(_TRANSACTIONS, WorkKind(None, nothing)),
    ListServers: WorkKind(Lane.LIST, lambda _: LISTING),
    FindPorts: WorkKind(Lane.LIST, lambda _: PORTS),
    Survey: WorkKind(Lane.OTHER, lambda _: SURVEY),
    Tidy: WorkKind(Lane.OTHER, lambda _: TIDYING),
    Rescue: WorkKind(Lane.OTHER, lambda action: ("rescue", action.provider)),
    CollectEvidence: WorkKind(Lane.EVIDENCE, _machine),
    Create: WorkKind(Lane.CREATE, _machine),
    Address: WorkKind(Lane.CREATE, _machine),
    Delete: WorkKind(Lane.DELETE, _machine, takes_over=True),
    DeleteLeak: WorkKind(Lane.DELETE, lambda action: leak(action.server)),
    Prove: WorkKind(Lane.PROOF, _machine),
    Probe: WorkKind(Lane.PROBE, _machine),
    Note: WorkKind(None, lambda action: noting(action.node)),
    Publish: WorkKind(None, lambda _: STATUS),
}
#: The lane of every action that is not a transaction.
LANES: Final[Mapping[type, Lane]] = {
    kind: work.lane for kind, work in KINDS.items() if work.lane is not None
}

#: What a hand does to one node of ours, which is busy meanwhile; a leaked server is nobody's.
NodeWork = Create | Delete | Address | Prove | Probe | CollectEvidence

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
    Lane.PROBE: 8,
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


def new_lanes() -> Lanes[Lane, NodeId]:
    """Return lanes that nobody is in."""
    return Lanes(WAITED_FOR)
