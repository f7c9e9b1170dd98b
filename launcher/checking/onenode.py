"""A node that nobody else knows of: it lives by a launcher's rules, in a world without ZooKeeper.

The judgements, the hands and what takes in their results are those of every launcher. Only here a
step is not written down for others: both records are what this process remembers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from launcher.actions import LANES, Action, Plan, node_of
from launcher.checking.means import Means
from launcher.events import Event
from launcher.lanes import machine
from launcher.node.actions import Advance, Condemn, Count, MakeReady, Note, RemoveRecords
from launcher.node.birth import NewNode, born, intend, takes_host_key
from launcher.node.hand_proving import ProvingHands
from launcher.node.lifecycle import live
from launcher.node.results import NodeResults
from launcher.node.start_hands import HandStarts
from launcher.node.steps import (
    Stepped,
    condemned,
    counted_launch,
    failed_word,
    proven,
    ready_node,
    take_launch,
)
from launcher.node.view import NodeView
from launcher.policy import Key
from launcher.provider.cloud import Recipe
from launcher.provider.peers import Peers
from launcher.provider.periodic import poll_servers
from launcher.server.addressing import find_ports
from launcher.server.hand_cloud import CloudHands
from launcher.server.results import ServerResults
from launcher.server.specs import ServerSpecs
from launcher.server.start import ServerStarts
from launcher.world import Agenda, World
from remuda.frame.fence import Deadline, TimeFence
from remuda.frame.work import Answers, ByKind, Written, word
from remuda.metrics.sink import NullMetrics
from remuda.model.capsule import Capsule
from remuda.model.ids import NodeId, ReplicaId
from remuda.runtime.clock import Clock
from remuda.runtime.inbox import Inbox
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey, make_host_key

#: What a hand does; it returns the event of its action.
Work = Callable[[], Event]

#: A pause is never shorter, whatever is due.
PAUSE_S_MIN: Final = 0.05


def new_node(means: Means, recipe: Recipe, key: Key, number: int) -> tuple[NewNode, HostKey | None]:
    """Return both records of a node that is to be tried, under a name of ours, and its host key."""
    host_key = make_host_key() if takes_host_key(means.policy, key) else None
    new = born(
        means.policy,
        intend(means.policy, key, recipe, number),
        node_id=NodeId(f"check-{means.run}-{number}"),
        owner=ReplicaId(f"check-{means.run}"),
        host_key=None if host_key is None else host_key.public,
        launcher=None,
        now=_now(means.clock),
    )
    return new, host_key


def _now(clock: Clock) -> Now:
    return Now(wall_s=clock.now_s(), mono_s=clock.monotonic_s())


@dataclass(slots=True, kw_only=True)
class CheckRecords:
    """What a check has in place of ZooKeeper: the evidence of a failed launch is for its report."""

    clock: Clock
    evidence: Capsule | None = None

    def fence(self, until: Deadline | None) -> TimeFence:
        """Hold back what is late."""
        return TimeFence(clock=self.clock, until=until)

    def spared(self, node: NodeId) -> str | None:
        """Spare every server that was not made here."""
        return f"{node} was not made by this check"

    def keep(self, report: Capsule) -> None:
        """Keep it for the report."""
        self.evidence = report


class _Unread:
    """A log that nobody reads: a check tells its user what happens."""

    def debug(self, event: str, **fields: Any) -> None:
        """Leave it out."""

    info = warning = error = debug


@dataclass(slots=True, kw_only=True)
class OneNode:
    """The node, from its intent until the cloud has nothing of it any more.

    Attributes:
        heard: Told of every action that has ended, with the event of its hand (None: it was only
            written down) and when it began (monotonic).
    """

    means: Means
    recipe: Recipe
    key: Key
    number: int
    heard: Callable[[Action, Event | None, float], None]
    view: NodeView = field(init=False)
    world: World = field(init=False)
    records: CheckRecords = field(init=False)
    specs: ServerSpecs = field(init=False)
    _starts: ByKind = field(init=False)
    _events: ByKind = field(init=False)
    _answers: Answers = field(init=False)
    _submitted: list[Work] = field(default_factory=list)
    _inbox: Inbox[Event] = field(default_factory=Inbox)

    def __post_init__(self) -> None:
        """Write the intent, and wire the launcher's parts together around it."""
        means, policy, owner = self.means, self.means.policy, self.means.owner
        new, host_key = new_node(means, self.recipe, self.key, self.number)
        peers = Peers(me=new.launch.owner, provider=policy.provider)
        self.world = world = World(policy=policy, peers=peers)
        world.cloud.recipes[self.key] = self.recipe
        world.fresh.add(new.node.id)
        self.view = view = world.nodes.view(new.node.id)
        view.launch, view.launch_version = new.launch, 0
        view.node, view.node_version = new.node, 0
        world.touch_node(view)
        keys = {} if host_key is None else {view.id: host_key}
        log, metrics, clock = _Unread(), NullMetrics(), means.clock
        self.records = CheckRecords(clock=clock)
        self.specs = ServerSpecs(policy=policy, owner=owner)
        cloud = CloudHands(cloud=means.cloud, clock=clock, owner=owner, records=self.records)
        proving = ProvingHands(means.prover, means.stopped, clock, self._inbox)
        self._starts = {
            **ServerStarts(world, self._submit, cloud, keys).table(),
            **HandStarts(world, self._submit, cloud, proving).table(),
        }
        nodes = NodeResults(world, keys, log, metrics)
        servers = ServerResults(world, keys, owner, log, metrics)
        self._events, self._answers = {**nodes.events(), **servers.events()}, nodes.answers()

    @property
    def gone(self) -> bool:
        """Whether the cloud has nothing of it any more, as far as a launcher would believe."""
        return self.view.id not in self.world.nodes.views

    def turn(self) -> float:
        """Judge once and do what follows; return how long to wait, 0: not at all."""
        now, plan = _now(self.means.clock), Plan()
        poll_servers(self.world, now, plan)
        live(self.world, Agenda(), now, plan)
        find_ports(self.world, now, plan)
        # All are begun before any has ended, as a plan of a launcher's is.
        for action, work in [(one, self._begin(one, now)) for one in plan.actions]:
            self._finish(action, work)
        if plan.actions:
            return 0.0
        due_s = min((one.due_s for one in plan.alarms), default=now.mono_s)
        return max(PAUSE_S_MIN, due_s - now.mono_s)

    def condemn(self, cause: str) -> None:
        """Have it deleted, whatever is done with it just now."""
        self.world.busy.give_up(machine(self.view.id))
        if not self.view.dying:
            self._write(Condemn(node=self.view.id, cause=cause), _now(self.means.clock))

    def _begin(self, action: Action, now: Now) -> Work | None:
        """Return what a hand is to do; what is only to be written is done."""
        if type(action) not in LANES:
            self._write(action, now)
            return None
        self._starts[type(action)](action, now)
        if node_of(action) is not None:
            self.world.busy.enter(machine(self.view.id), action)
        return self._submitted.pop()

    def _submit(self, _action: Action, work: Work) -> None:
        self._submitted.append(work)

    def _finish(self, action: Action, work: Work | None) -> None:
        begun_s, event = self.means.clock.monotonic_s(), None
        if work is not None:
            event = work()
            for each in self._inbox.drain(wait_s_max=0.0).events:
                self._events[type(each)](each, _now(self.means.clock))
            self.world.busy.leave(machine(self.view.id), action)
            self._events[type(event)](event, _now(self.means.clock))
        self.heard(action, event, begun_s)

    def _write(self, action: Action, now: Now) -> None:
        """Do what a launcher's transaction does, and what its answer brings about."""
        view = self.view
        match action:
            case Note():
                view.proof = replace(view.proof, noted_s=now.mono_s)
                self._step(Stepped(launch=action.launch, node=None))
            case Advance():
                self._step(Stepped(launch=action.launch, node=None))
            case MakeReady():
                self._step(proven(view, ready_node(view, self.world.policy), now_s=now.wall_s))
            case Condemn():
                failed = failed_word(action)
                self._step(condemned(view, action.cause, failed=failed, now_s=now.wall_s))
            case Count(samples=(one,)) if view.launch is not None:
                # Nobody keeps a tally of what is only tried.
                self._step(Stepped(launch=counted_launch(view.launch, one), node=None))
            case RemoveRecords():
                self.world.drop_node(view.id)
            case _:
                raise AssertionError(f"{word(action)} is nothing that a check's node meets")
        self._answers[type(action)](action, Written(action=action, result=()), now)

    def _step(self, both: Stepped) -> None:
        take_launch(self.view, both.launch, latest_listing=self.world.cloud.latest_listing())
        self.view.node = both.node or self.view.node
        self.world.touch_node(self.view)
