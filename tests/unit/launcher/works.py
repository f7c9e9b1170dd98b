"""What starts actions and takes in their results, around a world made by hand: no thread."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from launcher.actions import KINDS, Action, Plan
from launcher.assembly import dispatch_of, membership_of
from launcher.brain import Brain
from launcher.capsule.hand_store import StoreHands
from launcher.events import Event
from launcher.fold import Fold
from launcher.lanes import LANE_SIZES, Lane, machine
from launcher.node.events import ScriptBegun
from launcher.node.fold import NodeFold
from launcher.node.hand_proving import ProvingHands
from launcher.node.view import NodeView
from launcher.results import Results
from launcher.server.events import Deleted
from launcher.server.hand_cloud import CloudHands
from launcher.server.hand_records import StoreRecords
from launcher.start import Starter
from launcher.world import World
from launcher.writer import Writer
from remuda.cloud.api import CloudError
from remuda.frame.sender import Sender
from remuda.frame.set_aside import SetAside
from remuda.frame.work import Written
from remuda.frame.workers import Workers
from remuda.membership.registration import Member
from remuda.metrics.sink import NullMetrics
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.runtime.now import Now
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.prover import FakeProver
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.worlds import NOW

OWNER = tags.Owner(installation="us", provider=ProviderName("here"))


def deleted(
    view: NodeView, error: CloudError | None, *, mistaken: bool = False, released: bool = False
) -> Deleted:
    """Return the answer to a call that was to delete a node's server."""
    server = view.server.id
    assert server is not None
    return Deleted(node=view.id, server=server, error=error, mistaken=mistaken, released=released)


class Quiet:
    """A log that nobody reads."""

    def debug(self, event: str, **fields: Any) -> None:
        """Leave it out."""

    info = warning = error = debug


@dataclass(slots=True)
class Waiting(Workers[Action, Event, Lane]):
    """Keeps what hands are to do until a test lets them, or answers in their place."""

    orders: list[tuple[Action, Callable[[], Event]]] = field(default_factory=list)

    def submit(self, action: Action, work: Callable[[], Event]) -> None:
        """Keep it."""
        self.orders.append((action, work))


def cloud_hands(cloud: FakeCloud, store: FakeStore, clock: ManualClock) -> CloudHands:
    """Return hands with records in *store*."""
    records = StoreRecords(store=store, clock=clock, owner=OWNER)
    return CloudHands(cloud=cloud, clock=clock, owner=OWNER, records=records)


class Works:
    """A launcher's hands and ears, around *world*."""

    def __init__(self, world: World) -> None:
        self.clock = clock = ManualClock(NOW.wall_s - NOW.mono_s)
        clock.advance(NOW.mono_s)
        self.store = store = FakeZookeeper(clock).connect()
        inbox: Inbox[Event] = Inbox()
        self.cloud = FakeCloud(clock)
        self.workers = Waiting(inbox, KINDS, LANE_SIZES)
        log, metrics = Quiet(), NullMetrics()
        self.ground = Ground(store=store, inbox=inbox, clock=clock, log=log, metrics=metrics)
        me = Member(id=world.peers.me, started_s=NOW.wall_s)
        self.membership = membership_of(world, self.ground, me)
        sender: Sender[Action] = Sender(self.ground, self.membership.tree)
        writer = Writer(sender=sender, world=world, mine=set())
        dispatch = dispatch_of(world, self.ground)
        hands = cloud_hands(self.cloud, store, clock)
        self.starter = Starter(
            world=world,
            writer=writer,
            dispatch=dispatch,
            workers=self.workers,
            store=store,
            cloud=hands,
            proving=ProvingHands(
                prover=FakeProver(), stopped=lambda: False, clock=clock, inbox=inbox
            ),
            stores=StoreHands(hands.records, (), OWNER.provider),
        )
        self.metrics = metrics
        self.results = Results(
            world=world, dispatch=dispatch, writer=writer, owner=OWNER, log=log, metrics=metrics
        )

    def brain(self, starter: Any, clock: ManualClock) -> Brain:
        """Return a brain with an inbox of its own."""
        return Brain(
            ground=replace(self.ground, inbox=Inbox(), clock=clock),
            world=self.starter.world,
            membership=self.membership,
            fold=quiet_fold(self.starter.world),
            results=self.results,
            starter=starter,
        )

    def start(self, plan: Plan, now: Now, *kinds: type) -> None:
        """Start a plan's actions of some kinds."""
        for action in plan.actions:
            if isinstance(action, kinds):
                self.starter.start(action, now)

    def hear(self, event: Event, now: Now) -> None:
        """Take in what a hand returned, as if it had ended just now, or the answer to a write."""
        world = self.starter.world
        node = None if isinstance(event, ScriptBegun) else getattr(event, "node", None)
        view = world.nodes.views.get(node) if isinstance(node, str) else None
        if view is not None:
            world.busy.give_up(machine(view.id))
            view.busy = None
            world.touch_node(view)
        if isinstance(event, Written):
            for subject in KINDS[type(event.action)].subjects(event.action):
                world.busy.enter(subject, event.action)
        self.results.take(event, now)


def quiet_fold(made: World) -> Fold:
    """Return a fold into *made* that reads nothing and tells nobody."""
    aside = SetAside(log=Quiet(), metrics=NullMetrics())
    return Fold(
        world=made, aside=aside, read=lambda _: None, nodes=NodeFold(made, set(), lambda _: None)
    )
