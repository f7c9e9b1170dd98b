"""Everything a plan may say: actions are data, and each names its cause."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from launcher.capsule.actions import KINDS as CAPSULES
from launcher.capsule.actions import StoreCapsule, TellCapsule
from launcher.capture.actions import KINDS as CAPTURES
from launcher.capture.actions import AnswerCapture, NoteCaptureBuild
from launcher.claim.actions import KINDS as CLAIMS
from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.guest.actions import KINDS as GUESTS
from launcher.guest.actions import FetchKeys, LetIn, NoteGuest, NoteKeys, SetKeys
from launcher.hold.actions import KINDS as HOLDS
from launcher.hold.actions import AnswerHold, DropAutohold, KeepNode, LookIn, NoteHold
from launcher.hostkey.actions import KINDS as HOST_KEYS
from launcher.hostkey.actions import MakeHostKey, NoteHostKey, SwitchHostKey
from launcher.image.actions import KINDS as IMAGES
from launcher.image.actions import NoteUse
from launcher.lanes import Kinds, Lane
from launcher.node.actions import KINDS as NODES
from launcher.node.actions import (
    Adopt,
    Advance,
    CollectEvidence,
    Condemn,
    Count,
    Free,
    Grow,
    MakeReady,
    Note,
    Probe,
    Prove,
    RemoveRecords,
    Sampled,
)
from launcher.node.view import ADOPT, EVIDENCE, PROBE
from launcher.provider.actions import KINDS as PROVIDER
from launcher.provider.actions import DropPermit, Publish, Rescue, Survey, Tidy
from launcher.request.actions import KINDS as REQUESTS
from launcher.request.actions import Allocate, Decline, Normalise, Release, WriteVerdict
from launcher.server.actions import KINDS as SERVERS
from launcher.server.actions import (
    Address,
    CreateServer,
    DeleteLeak,
    DeleteServer,
    FindPorts,
    ListServers,
)
from launcher.takehome.actions import KINDS as TAKE_HOMES
from launcher.takehome.actions import AnswerSnapshot, BeginTakeHome
from remuda.model.ids import NodeId, RequestId
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
    | CreateServer
    | Advance
    | Note
    | Address
    | Prove
    | Probe
    | MakeReady
    | Free
    | Count
    | AnswerCapture
    | NoteCaptureBuild
    | LetIn
    | NoteGuest
    | AnswerSnapshot
    | BeginTakeHome
    | SetKeys
    | FetchKeys
    | NoteKeys
    | MakeHostKey
    | SwitchHostKey
    | NoteHostKey
    | AnswerHold
    | KeepNode
    | NoteHold
    | LookIn
    | DropAutohold
    | NoteUse
    | Condemn
    | CollectEvidence
    | StoreCapsule
    | TellCapsule
    | DeleteServer
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


#: Every kind of action: in which threads it is done, and what it keeps busy.
KINDS: Final[Kinds] = {
    **REQUESTS,
    **CLAIMS,
    **NODES,
    **CAPTURES,
    **CAPSULES,
    **GUESTS,
    **TAKE_HOMES,
    **HOLDS,
    **HOST_KEYS,
    **IMAGES,
    **SERVERS,
    **PROVIDER,
}
#: The lane of every action that is not a transaction.
LANES: Final[Mapping[type, Lane]] = {
    kind: work.lane for kind, work in KINDS.items() if work.lane is not None
}
#: What a view is busy with, by the action; of the others, by their word.
MARKS: Final[Mapping[type, str]] = {
    Allocate: "allocate",
    Adopt: ADOPT,
    CreateServer: "create",
    DeleteServer: "delete",
    Address: "address",
    Prove: "prove",
    Probe: PROBE,
    LetIn: "let in",
    SetKeys: "set keys",
    FetchKeys: "fetch keys",
    MakeHostKey: "make host key",
    SwitchHostKey: "switch host key",
    LookIn: "look in",
    CollectEvidence: EVIDENCE,
}
#: What a hand does to one node of ours, which is busy meanwhile; a leaked server is nobody's.
NodeWork = (
    CreateServer
    | DeleteServer
    | Address
    | Prove
    | Probe
    | LetIn
    | SetKeys
    | FetchKeys
    | MakeHostKey
    | SwitchHostKey
    | LookIn
    | CollectEvidence
)


def node_of(action: Action) -> NodeId | None:
    """Return the node that an action in a lane keeps busy, or None."""
    return action.node if isinstance(action, NodeWork) else None


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
        counts: What is to be counted of nodes, by image of ours.
        swept: Leaks were looked for; *brake* says why none may be deleted, or None.
        verdicts: Ours on the requests that were judged and could not be served at once.
        blocked: By pool, an old request that needs room there first; None: not judged anew.
        uncounted: Nodes that are to be judged again once the hold that is being counted is written.
    """

    actions: list[Action] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    verdicts: dict[RequestId, Verdict] = field(default_factory=dict)
    counts: dict[str | None, list[Sampled]] = field(default_factory=dict)
    swept: bool = False
    brake: str | None = None
    blocked: dict[str, RequestId] | None = None
    uncounted: set[NodeId] = field(default_factory=set)

    def do(self, action: Action) -> None:
        """Add an action."""
        self.actions.append(action)

    def look_again(self, kind: str, name: str, due_s: float) -> None:
        """Add an alarm."""
        self.alarms.append(Alarm(kind=kind, name=name, due_s=due_s))
