"""Wiring: one launcher, made of its parts and of what lies outside of it."""

from collections.abc import Callable

from launcher.actions import Action
from launcher.brain import Brain
from launcher.events import Event, Registered
from launcher.fold import Fold
from launcher.hands.clouding import CloudHands
from launcher.hands.proving import ProvingHands
from launcher.hands.writing import Writer
from launcher.lanes import KINDS, Lane, node_of, places
from launcher.orders import ServerOrders
from launcher.registry import Registry
from launcher.settle import Settle
from launcher.settle_writes import SettleWrites
from launcher.starting import Starter
from launcher.world import World
from remuda.cloud.api import Cloud
from remuda.frame.crew import Crew
from remuda.frame.dispatch import Dispatch
from remuda.frame.set_aside import SetAside
from remuda.membership.registration import Member, Registration
from remuda.metrics.factory import Instruments
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import NodeId, ProviderName
from remuda.runtime.clock import Clock
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.ssh.api import Prover
from remuda.store import paths
from remuda.store.api import Gone, Store, Stored, StoreError


def dispatch_of(world: World, log: Log, metrics: Metrics) -> Dispatch[Action, Lane]:
    """Return what lets the actions of *world* begin, and what they keep busy."""

    def about(action: Action) -> dict[str, str]:
        node = node_of(action)
        return {} if node is None else {"node": node}

    return Dispatch(
        kinds=KINDS,
        busy=world.busy,
        lanes=world.lanes,
        places=lambda lane: places(lane, world.policy.config.max_concurrency),
        log=log,
        metrics=metrics,
        about=about,
        waiter=node_of,
        there=lambda action: node_of(action) in world.herd.views,
    )


def assemble(
    *,
    world: World,
    store: Store,
    inbox: Inbox[Event],
    clock: Clock,
    log: Log,
    instruments: Instruments,
    cloud: Cloud,
    installation: str,
    mine: set[NodeId],
    me: Member,
    crew: Crew[Action, Event, Lane],
    prover: Prover,
) -> Brain:
    """Wire one launcher together and start its mirrors; also used by tests with fakes."""
    provider = world.policy.provider
    owner = tags.Owner(installation=installation, provider=ProviderName(provider))
    world.installation = installation
    writer = Writer(store=store, world=world, inbox=inbox, mine=mine, clock=clock)
    metrics = instruments.metrics
    dispatch = dispatch_of(world, log, metrics)
    starter = Starter(
        world=world,
        writer=writer,
        dispatch=dispatch,
        crew=crew,
        cloud=CloudHands(cloud=cloud, store=store, clock=clock, owner=owner),
        proving=ProvingHands(prover, lambda: crew.stopped, clock, inbox),
        orders=ServerOrders(policy=world.policy, owner=owner),
    )
    writes = SettleWrites(world=world, writer=writer, log=log, metrics=metrics)

    registration = Registration(
        store=store, registered=lambda error: inbox.event(Registered(error=error))
    )
    registry = Registry(member=me, registration=registration)

    def traces() -> tuple[str, ...]:
        return world.neighbours.traces(registry.pool_ids.values(), store.session_id)

    def reregister(*, doubtful: bool = False) -> None:
        registry.register(world.policy, traces() if doubtful else None)
        world.pool_ids = dict(registry.pool_ids)

    brain = Brain(
        world=world,
        inbox=inbox,
        fold=Fold(
            world=world,
            aside=SetAside(log=log, metrics=metrics),
            mine=mine,
            read_node=_node_reader(store, inbox),
        ),
        settle=Settle(
            world=world, dispatch=dispatch, writes=writes, owner=owner, log=log, metrics=metrics
        ),
        starter=starter,
        clock=clock,
        log=log,
        metrics=metrics,
        reregister=reregister,
        seen=lambda: registration.agrees(traces()),
        lost=registration.lost,
        reread=store.reread,
    )
    writer.refill()
    watch(store, inbox, world, mine)
    reregister()
    return brain


def _node_reader(store: Store, inbox: Inbox[Event]) -> Callable[[NodeId], None]:
    def read_node(node_id: NodeId) -> None:
        def done(found: Stored[bytes] | StoreError | None) -> None:
            if found is None:  # a mirror tells only what it has seen before
                inbox.change(Gone(path=paths.node(node_id)))

        store.read_later(paths.node(node_id), done)

    return read_node


def watch(store: Store, inbox: Inbox[Event], world: World, mine: set[NodeId]) -> None:
    """Start the mirrors: what every launcher reads, and what only those of this provider do."""
    store.on_session(inbox.session)
    roots = (
        paths.provider(world.policy.provider),
        paths.NODES,
        paths.REPLICAS,
        paths.STATUSES,
        paths.POOL_COMPONENTS,
        paths.REQUESTS,
        paths.INSTALLATION,
        paths.NODE_COUNTER,
        paths.IMAGES,
    )
    world.attendance.roots = frozenset(roots)
    own_status = paths.status(world.policy.provider)
    start = len(paths.NODES) + 1

    def wanted_node(path: str) -> bool:
        return path[start:] in mine

    for root in roots:
        if root == paths.NODES:
            store.mirror(root, inbox.change, wanted=wanted_node)
        elif root == paths.STATUSES:
            store.mirror(root, inbox.change, wanted=lambda path: path != own_status)
        else:
            store.mirror(root, inbox.change)
