"""The sets of threads of a launcher, and what an action may keep busy.

Which action is done where says ``KINDS`` of its folder's ``actions.py``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from remuda.frame.lanes import Lanes
from remuda.frame.work import WorkKind, nothing
from remuda.model.ids import NodeId, RequestId, ServerId


class Lane(StrEnum):
    """A set of threads for actions of one kind."""

    LIST = "list"
    EVIDENCE = "evidence"
    CAPSULE = "capsule"
    OTHER = "other"
    CREATE = "create"
    DELETE = "delete"
    PROOF = "proof"
    PROBE = "probe"


#: How each kind of action is done.
Kinds = Mapping[type, WorkKind[Lane]]

#: What is done once at a time, whatever for.
LISTING: Final = "listing"
PORTS: Final = "ports"
SURVEY: Final = "survey"
TIDYING: Final = "tidying"
STATUS: Final = "status"


def machine(node: NodeId) -> tuple[str, str]:
    """Return what is busy while something is done to a node of ours, or its records are written."""
    return "machine", node


def noting(node: NodeId) -> tuple[str, str]:
    """Return what is busy while a launch record is written for the stage alone; hands go on."""
    return "note", node


def capsule(node: NodeId) -> tuple[str, str]:
    """Return what is busy while the capsule of a node is stored or told; the node is not."""
    return "capsule", node


def tallying(image: str) -> tuple[str, str]:
    """Return what is busy while something is counted of an image: one count at a time succeeds."""
    return "tally", image


def leak(server: ServerId) -> tuple[str, str]:
    """Return what the deletion of a leaked server keeps busy."""
    return "leak", server


def request(request_id: RequestId) -> tuple[str, str]:
    """Return what is busy while the records of a request, or of our claim on it, are written."""
    return "request", request_id


def its_request(action: Any) -> tuple[str, str]:
    """Return what a transaction keeps busy that writes to the request which *action* names."""
    return request(action.request)


def its_machine(action: Any) -> tuple[str, str]:
    """Return what an action keeps busy that names a node."""
    return machine(action.node)


def on_requests(*kinds: type) -> dict[type, WorkKind[Lane]]:
    """Return how actions are done that write to a request."""
    return dict.fromkeys(kinds, WorkKind(None, its_request))


def on_nodes(*kinds: type) -> dict[type, WorkKind[Lane]]:
    """Return how actions are done that write to a node; a hand that hangs at it is given up."""
    return dict.fromkeys(kinds, WorkKind(None, its_machine, takes_over=True))


def aside(*kinds: type) -> dict[type, WorkKind[Lane]]:
    """Return how actions are done that only write, and keep nothing busy."""
    return dict.fromkeys(kinds, WorkKind(None, nothing))


#: A proof is one thread for its whole length, some 100 KiB each while it runs.
PROOFS_MIN: Final = 8
PROOFS_MAX: Final = 96
#: Threads at most; they are made when there is something to do. One listing and one look at ports
#: are under way at once; of the others the rate limit, not this, bounds the load on the cloud.
LANE_SIZES: Final[Mapping[Lane, int]] = {
    Lane.LIST: 2,
    Lane.EVIDENCE: 4,
    Lane.CAPSULE: 2,
    Lane.OTHER: 4,
    Lane.CREATE: 12,
    Lane.DELETE: 8,
    Lane.PROOF: PROOFS_MAX,
    Lane.PROBE: 8,
}
#: Lanes that may have to be waited for by many; probes are short, and somebody waits for them.
WAITED_FOR: Final = (Lane.CREATE, Lane.DELETE, Lane.PROOF)


def places(lane: Lane, max_concurrency: int) -> int:
    """Return how much may be under way in a lane at once."""
    if lane is Lane.PROOF:
        return min(PROOFS_MAX, max(PROOFS_MIN, max_concurrency))
    return LANE_SIZES[lane]


def new_lanes() -> Lanes[Lane, NodeId]:
    """Return lanes that nobody is in."""
    return Lanes(WAITED_FOR)
