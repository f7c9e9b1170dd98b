"""Wiring: one launcher, made of its parts and of what lies outside of it."""

from collections.abc import Callable

from launcher.actions import KINDS, Action, node_of
from launcher.brain import Brain
from launcher.capsule.hand_places import CapsuleStore
from launcher.capsule.hand_store import StoreHands
from launcher.events import Event
from launcher.fold import Fold
from launcher.lanes import Lane, places
from launcher.node.fold import NodeFold
from launcher.node.hand_proving import ProvingHands
from launcher.provider.presence import Registry, tree
from launcher.results import Results
from launcher.server.hand_cloud import CloudHands
from launcher.server.hand_records import StoreRecords
from launcher.start import Starter
from launcher.world import World
from launcher.writer import Writer
from remuda.cloud.api import Cloud
from remuda.frame.dispatch import Dispatch
from remuda.frame.sender import Sender
from remuda.frame.set_aside import SetAside
from remuda.frame.workers import Workers
from remuda.membership.membership import Membership
from remuda.membership.registration import Member, Presence
from remuda.membership.tree import Tree
from remuda.model import tags
from remuda.model.ids import NodeId, ProviderName
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.ssh.api import Prover
from remuda.store import paths
from remuda.store.api import Gone, NotPermittedError, Put, Store, Stored, StoreError


def dispatch_of(world: World, ground: Ground[Event]) -> Dispatch[Action, Lane]:
    """Return what lets the actions of *world* begin, and what they keep busy."""

    def about(action: Action) -> dict[str, str]:
        node = node_of(action)
        return {} if node is None else {"node": node}

    return Dispatch(
        kinds=KINDS,
        busy=world.busy,
        lanes=world.lanes,
        places=lambda lane: places(lane, world.policy.config.max_concurrency),
        ground=ground,
        about=about,
        waiter=node_of,
        there=lambda action: node_of(action) in world.nodes.views,
    )


def assemble(
    *,
    world: World,
    ground: Ground[Event],
    cloud: Cloud,
    installation: str,
    mine: set[NodeId],
    me: Member,
    workers: Workers[Action, Event, Lane],
    prover: Prover,
    stores: tuple[CapsuleStore, ...] = (),
) -> Brain:
    """Wire one launcher together and start its mirrors; also used by tests with fakes."""
    provider = world.policy.provider
    owner = tags.Owner(installation=installation, provider=ProviderName(provider))
    world.installation = installation
    store, clock, log, metrics = ground.store, ground.clock, ground.log, ground.metrics
    membership = membership_of(world, ground, me)
    writer = Writer(sender=Sender(ground, membership.tree), world=world, mine=mine)
    dispatch = dispatch_of(world, ground)
    read = _reader(store, ground.inbox)
    records = StoreRecords(store=store, clock=clock, owner=owner)
    brain = Brain(
        ground=ground,
        world=world,
        membership=membership,
        fold=Fold(
            world=world,
            aside=SetAside(log=log, metrics=metrics),
            nodes=NodeFold(world, mine, lambda node: read(paths.node(node))),
            read=read,
        ),
        results=Results(
            world=world, dispatch=dispatch, writer=writer, owner=owner, log=log, metrics=metrics
        ),
        starter=Starter(
            world=world,
            writer=writer,
            dispatch=dispatch,
            workers=workers,
            store=store,
            cloud=CloudHands(cloud=cloud, clock=clock, owner=owner, records=records),
            proving=ProvingHands(prover, lambda: workers.stopped, clock, ground.inbox),
            stores=StoreHands(records, stores, provider),
        ),
    )
    writer.refill()
    join(membership, provider, mine)
    return brain


def membership_of(world: World, ground: Ground[Event], me: Member) -> Membership:
    """Return what has the launcher of *world* seen, with its pools."""
    registry = Registry(member=me)

    def wanted() -> Presence:
        presence = registry.presence(world.policy)
        world.pool_ids = dict(registry.pool_ids)
        return presence

    def traces() -> tuple[str, ...]:
        return world.peers.traces(registry.pool_ids.values(), ground.store.session_id)

    return Membership(
        kind="launcher",
        ground=ground,
        attendance=world.attendance,
        tree=Tree(ground, tree(world.policy.provider), halted=lambda: world.halted is not None),
        wanted=wanted,
        traces=traces,
    )


def _reader(store: Store, inbox: Inbox[Event]) -> Callable[[str], None]:
    """Return what has a record read on purpose, of which the mirror then tells."""

    def read(path: str) -> None:
        def done(found: Stored[bytes] | StoreError | None) -> None:
            if found is None:  # a mirror tells only what it has seen before
                inbox.change(Gone(path=path))
            elif isinstance(found, NotPermittedError):  # and of this one it would never tell
                inbox.change(Put(path=path, stored=None, closed=True))

        store.read_later(path, done)

    return read


def join(membership: Membership, provider: str, mine: set[NodeId]) -> None:
    """Start the mirrors: what every launcher reads, and what only those of this provider do."""
    roots = (
        paths.provider(provider),
        paths.NODES,
        paths.REPLICAS,
        paths.STATUSES,
        paths.POOL_COMPONENTS,
        paths.REQUESTS,
        paths.INSTALLATION,
        paths.NODE_COUNTER,
        paths.IMAGES,
        paths.TAKE_HOME,
        paths.AUTOHOLDS,
    )
    own_status, start = paths.status(provider), len(paths.NODES) + 1
    wanted = {
        paths.NODES: lambda path: path[start:] in mine,
        paths.STATUSES: lambda path: path != own_status,
    }
    membership.join(roots, wanted)
