"""Everything a plan may say: actions are data, and each names its cause."""

from dataclasses import dataclass, field

from launcher.policy import Key
from remuda.cloud.api import Port
from remuda.metrics.results import Result
from remuda.model.ids import NodeId, RequestId, ServerId
from remuda.model.image import UploadId
from remuda.model.launch import Launch
from remuda.model.status import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Lend:
    """Fulfil a request with ready nodes, in one transaction."""

    request: RequestId
    nodes: tuple[NodeId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One node to be made; its id is drawn when the plan is carried out.

    Attributes:
        for_request: Nobody else may have it.
        on_account_of: Whose need it meets; charged if the launch fails.
        upload: The image of ours that it boots, or None.
        login_key: Public line of the key that opens it for its builder, or None.
    """

    pool: str
    label: str
    cores: int
    ram_mib: int
    volume_gib: int
    az: str | None = None
    for_request: RequestId | None = None
    on_account_of: RequestId | None = None
    upload: UploadId | None = None
    login_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Take a request for a pool of ours, and write the intents it needs, in one transaction."""

    request: RequestId
    pool: str
    intents: tuple[Intent, ...]
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grow:
    """Write intents without a new claim: min-ready, or more for requests already claimed."""

    intents: tuple[Intent, ...]
    cause: str


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
class DropClaim:
    """Forget the claim on a request that is gone or no longer pending."""

    request: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptClaim:
    """Take over the claim, and the request's lock, of a replica that died."""

    request: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt:
    """Take over a launch whose owner died."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Ask the cloud for the server of a planned node."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Write the next step of a launch."""

    node: NodeId
    launch: Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Write down what a launch is waited for; whoever works on its machine goes on meanwhile."""

    node: NodeId
    launch: Launch


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Give a server a floating IP, so that it can be reached; *untried*: nobody has asked yet."""

    node: NodeId
    port: Port
    untried: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove:
    """Log in, set up and check."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """See whether a waiting ready node still answers; *request*: who gets it if it does."""

    node: NodeId
    request: RequestId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeReady:
    """Write that a node is proven, with everything its user needs to know."""

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """Take back a node whose request went away without using it."""

    node: NodeId
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condemn:
    """Write that a node is to be deleted, so that nobody takes it any more."""

    node: NodeId
    cause: str
    result: Result | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Autopsy:
    """Keep the evidence of a failed launch: console log, fault, transcript.

    Attributes:
        until_s: The console is not asked for after that (monotonic): the deletion does not wait
            for it any longer.
    """

    node: NodeId
    result: Result
    cause: str
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Ask the cloud to delete a dying node's server, and its floating IP before it.

    Attributes:
        confirmed: The cloud said that it is this node's; else that is asked first.
        floating_ip: Id of the one that we gave it.
        hinted_ip: Id of the one that the launch record names.
        search: We know of none, but it may have one.
    """

    node: NodeId
    server: ServerId
    confirmed: bool = False
    floating_ip: str | None = None
    hinted_ip: str | None = None
    search: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bury:
    """Remove the records of a node whose server the cloud no longer shows.

    Attributes:
        server: If it was surely this node's: what else was made for it goes later.
    """

    node: NodeId
    server: ServerId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteLeak:
    """Delete a server that carries our tag but has no record, if ZooKeeper still says so.

    Attributes:
        node: Whose record would speak against it; None: a check has left it, which has none.
        search: Its floating IP goes, too.
    """

    server: ServerId
    node: NodeId | None
    cause: str
    search: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPermit:
    """Remove an operator's permission to sweep: it is used up, or too old."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListServers:
    """Ask the cloud for all servers, once for all nodes."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPorts:
    """Ask the cloud for the ports of these servers, once for all that need a floating IP."""

    servers: tuple[ServerId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Look up images, flavors and quota; *only*: what these name alone, as orders were refused."""

    only: frozenset[Key] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidy:
    """Remove what dead processes left in ZooKeeper, and in the cloud besides servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescue:
    """Give back the requests that a dead provider had claimed."""

    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Write the status of this provider for the others."""

    status: bytes
    outline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Write our verdict on a waiting request; None removes it.

    Attributes:
        taken: Another provider has taken the request: few of these are written at once.
    """

    request: RequestId
    verdict: Verdict | None
    taken: bool = False


Action = (
    Lend
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
    | Knock
    | MakeReady
    | Free
    | Condemn
    | Autopsy
    | Delete
    | Bury
    | DeleteLeak
    | DropPermit
    | ListServers
    | FindPorts
    | Survey
    | Rescue
    | Tidy
    | Publish
    | Rule
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
