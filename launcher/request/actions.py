"""What a plan may do to requests."""

from dataclasses import dataclass
from typing import ClassVar, Final

from launcher.lanes import Kinds, aside, its_request, machine, on_requests
from remuda.frame.work import WorkKind
from remuda.model.ids import NodeId, RequestId
from remuda.model.status import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocate:
    """Fulfil a request with ready nodes, in one transaction."""

    WORD: ClassVar = "Lend"

    request: RequestId
    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Say that our pools will not serve a request; the last one to say so fails it."""

    request: RequestId
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give a claimed request back for others to take, without declining it for good."""

    request: RequestId
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalise:
    """Complete a foreign request's record with the keys that other readers insist on."""

    request: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteVerdict:
    """Write our verdict on a waiting request; None removes it.

    Attributes:
        taken: Another provider has taken the request: few of these are written at once.
    """

    WORD: ClassVar = "Rule"

    request: RequestId
    verdict: Verdict | None
    taken: bool = False


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    Allocate: WorkKind(None, its_request, besides=lambda action: map(machine, action.nodes)),
    **on_requests(Decline, Release, Normalise),
    **aside(WriteVerdict),
}
