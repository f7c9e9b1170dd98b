"""Everything one launcher knows, owned by its brain's thread; judgements only read it."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from launcher.actions import MARKS, Action
from launcher.capsule.view import WaitingCapsule
from launcher.claim.view import ClaimView
from launcher.hold.view import Autoholds
from launcher.image.index import Images
from launcher.lanes import Lane, machine, new_lanes, noting, places, request
from launcher.node.index import NodeIndex
from launcher.node.story import Stories
from launcher.node.view import ALLOCATE_CLAIMED, NodeView
from launcher.policy import Policy
from launcher.provider.cloud import CloudView
from launcher.provider.peers import Peers
from launcher.request.actions import Allocate
from launcher.request.queue import Queue
from launcher.request.view import MayGet, RequestView
from remuda.frame.alarms import Alarms
from remuda.frame.lanes import Lanes
from remuda.frame.work import Busy, word
from remuda.membership.attendance import Attendance
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.launch import Step
from remuda.model.request import Request
from remuda.model.takehome import TakeHome
from remuda.runtime.now import Now
from remuda.store.api import Stored


@dataclass(slots=True)
class Agenda:
    """What changed since the last plan and so must be judged again.

    Attributes:
        nodes, requests: Those to judge.
        labels: Labels of which a ready node became free, or stopped being promised.
        supply: Something that limits or demands launches changed.
        everything: Judge all, whatever changed; done at a fixed period and after every reload.
    """

    nodes: set[NodeId] = field(default_factory=set)
    requests: set[RequestId] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    supply: bool = False
    everything: bool = True

    @property
    def empty(self) -> bool:
        """Whether there is nothing to judge."""
        return not (self.nodes or self.requests or self.labels or self.supply or self.everything)

    def add(self, other: "Agenda") -> None:
        """Put everything that is on another agenda on this one, too."""
        self.nodes |= other.nodes
        self.requests |= other.requests
        self.labels |= other.labels
        self.supply = self.supply or other.supply
        self.everything = self.everything or other.everything


@dataclass(slots=True)
class World:
    """One launcher's knowledge.

    Attributes:
        busy: What is being worked on; the marks of views follow it.
        ledger_version: Version of the znode that guards the limits, as mirrored; -1: unknown.
        holds_version: Version of the znode that guards the limits of holds; -1: unknown.
        pool_ids: Component id of each of our pools, as it goes into declined_by.
        growing: Transactions that bump the ledger and are under way.
        allocating: Requests whose transaction that hands nodes out is under way; they may be gone
            when its answer is taken in.
        installation: The id that our servers carry, fixed for the life of this process.
        installation_s: When that id was written into ZooKeeper, by its clock.
        halted: Why nothing may be made or deleted, or None.
        drawn: How often node ids were drawn from the counter, as mirrored; -1: unknown.
        unborn: Nodes of other replicas of which one of both records is being read for the first
            time. The ledger may be newer than what we know of them, and until both are read they
            are nobody's supply, so nothing is started meanwhile.
        fresh: Nodes whose intent this process wrote.
        awaiting: Nodes of ours that wait for news which only a listing brings.
        portless: Nodes of ours on the way to ready that need a floating IP, but whose server's port
            is not known.
        slow: Nodes in the making, anybody's, that are waited for longer than a moment, as their
            records say.
        stories: What happened to each node lately, for people; nothing is judged by it.
        blocked: By pool, an old request that needs room there before others may have it.
        uncounted: Nodes that are judged again once the hold that is being counted is written.
        published, outlined: The status that was published last, whole and in outline.
        told_verdicts: The verdicts that were written last.
        capsules: Those that wait to be stored whole, the oldest first.
        take_homes: Images of held machines of our provider, by node: on the way, or there.
        rule_taken_s: Nothing is written before this (monotonic) on requests that others have taken.
    """

    policy: Policy
    peers: Peers
    nodes: NodeIndex = field(default_factory=NodeIndex)
    queue: Queue = field(default_factory=Queue)
    attendance: Attendance = field(default_factory=Attendance)
    alarms: Alarms = field(default_factory=Alarms)
    busy: Busy[Action] = field(default_factory=Busy)
    cloud: CloudView = field(init=False)
    lanes: Lanes[Lane, NodeId] = field(default_factory=new_lanes)
    agenda: Agenda = field(default_factory=Agenda)
    ledger_version: int = -1
    holds_version: int = -1
    pool_ids: dict[str, str] = field(default_factory=dict)
    installation: str = ""
    installation_s: float = 0.0
    halted: str | None = None
    drawn: int = -1
    awake_since_s: float = 0.0
    growing: int = 0
    allocating: dict[RequestId, RequestView] = field(default_factory=dict)
    unborn: set[NodeId] = field(default_factory=set)
    fresh: set[NodeId] = field(default_factory=set)
    awaiting: set[NodeId] = field(default_factory=set)
    portless: set[NodeId] = field(default_factory=set)
    slow: set[NodeId] = field(default_factory=set)
    stories: Stories = field(default_factory=Stories)
    blocked: dict[str, RequestId] = field(default_factory=dict)
    uncounted: set[NodeId] = field(default_factory=set)
    config_error: str | None = None
    published: bytes | None = None
    outlined: str | None = None
    publish_due_s: float = 0.0
    told_verdicts: dict[RequestId, str] = field(default_factory=dict)
    rule_taken_s: float = 0.0
    rescues: set[str] = field(default_factory=set)
    capsules: dict[NodeId, WaitingCapsule] = field(default_factory=dict)
    images: Images = field(init=False)
    take_homes: dict[NodeId, Stored[TakeHome]] = field(default_factory=dict)
    autoholds: Autoholds = field(default_factory=Autoholds)

    def __post_init__(self) -> None:
        """Know nothing of the cloud, nor of images."""
        self.busy.changed = self._busy_changed
        self.cloud = CloudView(busy=self.busy)
        self.images = Images(self.policy.provider)

    @property
    def awake(self) -> bool:
        """Whether decisions may be made."""
        return self.attendance.awake

    @property
    def stem(self) -> str:
        """Name, without its number, of our contenders for locks in the present session."""
        return self.attendance.stem

    def request_exists(self, request_id: RequestId) -> bool:
        """Whether the request's znode is there, read or not, as far as the mirror tells."""
        return request_id in self.queue.views or request_id in self.queue.unread

    def stands(self, claim: ClaimView) -> bool:
        """Whether the lock behind a claim of our provider is held by somebody who lives."""
        if claim.contender_gone:
            return False  # somebody removed it, as an attempt to give it up has told
        if claim.owner == self.peers.me:
            return self.stem in claim.contender
        return self.peers.alive(claim.owner)

    def may_have_floating_ips(self) -> bool:
        """Whether any of ours may be there: pools give them, or did so in this process's life."""
        return self.policy.gives_floating_ips or self.cloud.floating_ips_seen

    def adopt_policy(self, policy: Policy) -> None:
        """Go on under another policy; what is indexed by it follows."""
        self.cloud.floating_ips_seen = self.may_have_floating_ips()
        self.policy = policy
        for view in self.nodes.views.values():
            self.touch_node(view)
        for wanting in self.queue.views.values():
            self.touch_request(wanting)

    def doubt_status(self) -> None:
        """Tell our status again: another replica may have told otherwise since we did."""
        self.published = self.outlined = None

    def created_here(self, node_id: NodeId) -> bool:
        """Whether this process wrote the intent, so that it knows if the cloud was asked."""
        return node_id in self.fresh

    def expecting(self) -> bool:
        """Whether a node of ours waits for news that only a listing brings."""
        return bool(self.awaiting)

    def is_spoiled(self, view: NodeView) -> bool:
        """Whether its build was revoked, or withdrawn here."""
        return view.launch is not None and self.images.spoiled(view.launch) is not None

    def touch_node(self, view: NodeView) -> None:
        """Note a change of a node: indices now, judgement at the next plan."""
        was_free = view.id in self.nodes.free.get(view.key, ())
        was_coming = self.nodes.coming[view.key]
        view.spoiled = self.is_spoiled(view)
        self.nodes.reindex(view)
        self.agenda.nodes.add(view.id)
        if awaits_listing(view, self.peers.me):
            self.awaiting.add(view.id)
        else:
            self.awaiting.discard(view.id)
        if lacks_port(view, self.peers.me, self.policy):
            self.portless.add(view.id)
        else:
            self.portless.discard(view.id)
        if is_slow(view):
            self.slow.add(view.id)
        else:
            self.slow.discard(view.id)
        if not self.cloud.floating_ips_seen and _has_address(view):
            self.cloud.floating_ips_seen = True
        if view.launch is not None:
            if view.launch.for_request is not None:
                # It counts as nobody's supply, so only its request can ask for it.
                self.agenda.requests.add(view.launch.for_request)
            if (view.id in self.nodes.free.get(view.key, ())) != was_free:
                self.agenda.labels.add(view.launch.label)
                self.agenda.supply = True
            if self.nodes.coming[view.key] != was_coming:
                self.agenda.supply = True

    def born(self, node_id: NodeId) -> None:
        """Wait no longer for the records of another replica's node: growth is held up by that."""
        if node_id in self.unborn:
            self.unborn.discard(node_id)
            self.agenda.supply = True

    def balance_changed(self, labels: tuple[str, ...]) -> None:
        """Have the supply of some labels judged again."""
        self.agenda.labels.update(labels)
        self.agenda.supply = True

    def busy_with(self, subject: tuple[str, str]) -> str | None:
        """Return the mark of what is done to a node or a request just now, or None."""
        action = self.busy.under_way().get(subject)
        if action is None:
            return None
        of_node = subject[0] == "machine"
        if of_node and isinstance(action, Allocate) and action.request in self.queue.claims:
            return ALLOCATE_CLAIMED
        return MARKS.get(type(action), word(action))

    def _busy_changed(self, subject: Hashable, action: Action | None) -> None:
        """Mark the view of what is busy now, or is not any more: then it is judged again."""
        match subject:
            case ("machine", str() as name):
                view = self.nodes.views.get(NodeId(name))
                if view is not None:
                    view.busy = self.busy_with(("machine", name))
                    self.nodes.reindex(view) if action is not None else self.touch_node(view)
            case ("request", str() as name):
                self._request_busy(RequestId(name), over=action is None)

    def _request_busy(self, request_id: RequestId, *, over: bool) -> None:
        view = self.queue.views.get(request_id)
        if view is not None:
            view.busy = self.busy_with(request(request_id))
        if over:
            # The request may be gone by now; its claim is dropped then.
            self.agenda.requests.add(request_id)
            if view is not None:
                self.touch_request(view)

    def offer_places(self, now: Now) -> None:
        """Have those judged once more that may have a place in a lane now.

        Who did not take the one that was offered before (its record was being read again, say)
        has waited for us all the same, and the machine is not blamed for that.
        """
        for node_id, waited_s in self.lanes.retract(now.mono_s).items():
            view = self.nodes.views.get(node_id)
            if view is not None:
                view.patience.waited_s += waited_s
        concurrency = self.policy.config.max_concurrency
        self.agenda.nodes |= self.lanes.offer(lambda lane: places(lane, concurrency))

    def drop_node(self, node_id: NodeId) -> None:
        """Forget a node whose launch record is gone; its room is free again."""
        self.nodes.forget(node_id)
        self.awaiting.discard(node_id)
        self.portless.discard(node_id)
        self.slow.discard(node_id)
        self.fresh.discard(node_id)
        self.busy.give_up(machine(node_id))
        self.busy.give_up(noting(node_id))
        self.agenda.nodes.discard(node_id)
        self.agenda.supply = True

    def touch_request(self, view: RequestView) -> None:
        """Note a change of a request."""
        view.may_get = may_get_of(view.request, self.policy)
        self.queue.reindex(view)
        self.agenda.requests.add(view.id)

    def ring(self, kind: str, name: str) -> None:
        """Put on the agenda whose alarm has come."""
        if kind == "node":
            self.agenda.nodes.add(NodeId(name))
        elif kind == "request":
            self.agenda.requests.add(RequestId(name))
        else:
            self.agenda.supply = True

    def take_agenda(self) -> Agenda:
        """Return what is to be judged, and begin a new agenda."""
        agenda, self.agenda = self.agenda, Agenda(everything=False)
        return agenda


def may_get_of(request: Request, policy: Policy) -> MayGet:
    """Return which nodes a request may get."""
    if not request.reuse or request.opens is not None:
        return MayGet.NEW
    if request.image is not None or policy.share_an_image(request.labels):
        return MayGet.MATCHING
    return MayGet.ANY


def awaits_listing(view: NodeView, me: ReplicaId) -> bool:
    """Whether it is ours, and waits for news that only a listing brings."""
    launch = view.launch
    if launch is None or launch.owner != me:
        return False
    if view.dying or launch.step in (Step.PLANNED, Step.BOOTING):
        return True
    return launch.step is Step.PROVING and view.server.shown is None


def lacks_port(view: NodeView, me: ReplicaId, policy: Policy) -> bool:
    """Whether it is ours and on the way to ready, and the port for its floating IP is unknown."""
    launch = view.launch
    if launch is None or launch.owner != me or view.dying or view.server.id is None:
        return False
    wanted = launch.step in (Step.BOOTING, Step.PROVING)
    unknown = view.server.port is None and view.address.floating_ip is None
    return wanted and unknown and policy.addresses(view.key[0])


def is_slow(view: NodeView) -> bool:
    """Whether it is being made, and waited for longer than a moment, as its records say."""
    launch = view.launch
    return launch is not None and launch.proof_step is not None and view.coming


def _has_address(view: NodeView) -> bool:
    """Whether a node has a floating IP, or had one when it was ready, as far as we see."""
    recorded = view.launch is not None and view.launch.floating_ip is not None
    server = view.server.shown
    shown = server is not None and server.floating_ipv4 is not None
    return recorded or shown or view.address.floating_ip is not None
