"""Everything a plan may say: actions are data, and each names its cause."""

from dataclasses import dataclass, field

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
from remuda.model.ids import RequestId
from remuda.model.status import Verdict

Action = (
    Allocate
    | Claim
    | Grow
    | Decline
    | Release
    | Normalise
    | DropClaim
    | AdoptClaim
    | Adopt
    | Create
    | Advance
    | Note
    | Address
    | Prove
    | Probe
    | MakeReady
    | Free
    | Condemn
    | CollectEvidence
    | Delete
    | RemoveRecords
    | DeleteLeak
    | DropPermit
    | ListServers
    | FindPorts
    | Survey
    | Rescue
    | Tidy
    | Publish
    | WriteVerdict
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Judge a node, a request or the supply again at *due_s* (monotonic)."""

    kind: str
    name: str
    due_s: float


@dataclass(slots=True)
class Plan:
    """What to do now, when to look again, and what we think of the waiting requests.

    Attributes:
        swept: Leaks were looked for; *brake* says why none may be deleted, or None.
        verdicts: Ours on the requests that were judged and could not be served at once.
        blocked: By pool, an old request that needs room there first; None: not judged anew.
    """

    actions: list[Action] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    verdicts: dict[RequestId, Verdict] = field(default_factory=dict)
    swept: bool = False
    brake: str | None = None
    blocked: dict[str, RequestId] | None = None

    def do(self, action: Action) -> None:
        """Add an action."""
        self.actions.append(action)

    def look_again(self, kind: str, name: str, due_s: float) -> None:
        """Add an alarm."""
        self.alarms.append(Alarm(kind=kind, name=name, due_s=due_s))
