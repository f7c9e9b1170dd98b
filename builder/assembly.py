"""Wiring: one builder, made of its parts and of what lies outside of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.actions import KINDS, Action
from builder.brain import Brain
from builder.capacity import Capacity
from builder.contexts import ResultContext, StartContext
from builder.delays import Delays
from builder.events import HandEvent, News
from builder.fold import Fold, wanted_of_providers
from builder.hands.means import HandMeans
from builder.lanes import LANE_SIZES, Lane
from builder.periodic import Periodic
from builder.place.clouds import Clouds
from builder.recipe.hand_read import RecipeReader
from builder.reporting import Reporter
from builder.results import Results
from builder.start import Starter
from builder.stops import Stops
from builder.wiring import WireHands
from builder.worker import BuilderWorker, Current, providers_of
from builder.world import World
from remuda.config.model import Config
from remuda.frame.dispatch import Dispatch
from remuda.frame.sender import Sender
from remuda.frame.set_aside import SetAside
from remuda.frame.workers import Workers
from remuda.membership.membership import Membership
from remuda.membership.registration import Member, Presence
from remuda.membership.tree import Tree
from remuda.model.component import decode_replica
from remuda.runtime.ground import Ground
from remuda.store import paths

#: What a builder mirrors.
ROOTS: Final = (
    paths.IMAGES,
    paths.BUILDERS,
    paths.PROVIDERS,
    paths.REPLICAS,
    paths.STATUSES,
    paths.TAKE_HOME,
    paths.TAKE_HOME_ENDS,
)
#: What it takes for granted, besides what each image has.
TREE: Final = (*ROOTS, paths.REQUESTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a builder is given; tests give their own."""

    config: Config
    ground: Ground[News]
    installation: str
    clouds: Clouds
    member: Member
    workers: Workers[Action, HandEvent, Lane]
    wire: WireHands
    work_dir: Path


def assemble(outside: Outside) -> BuilderWorker:
    """Wire one builder together and start its mirrors.

    Raises:
        StoreError: If ZooKeeper does not let us.
        CloudConfigError: If clouds.yaml cannot be used.
    """
    store, config = outside.ground.store, Current(outside.config)
    store.ensure(*TREE)
    outside.clouds.adopt(config.value, providers_of(config.value))
    reader = RecipeReader(config)
    world = World(me=outside.member.id, configured=reader.first())
    membership = _membership(outside, world)
    sender: Sender[Action] = Sender(outside.ground, membership.tree)
    starter = _starter(outside, world, sender, config, reader)
    brain = _brain(outside, world, membership, starter, config)
    membership.join(ROOTS, {paths.PROVIDERS: wanted_of_providers})
    return BuilderWorker(
        brain=brain, clouds=outside.clouds, installation=outside.installation, config=config
    )


def _starter(
    outside: Outside, world: World, sender: Sender[Action], config: Current, reader: RecipeReader
) -> Starter:
    means = HandMeans(
        store=outside.ground.store,
        clouds=outside.clouds,
        clock=outside.ground.clock,
        log=outside.ground.log,
        installation=outside.installation,
        config=config,
        work_dir=outside.work_dir,
    )
    return Starter(
        context=StartContext(
            world=world,
            hands=outside.wire(means),
            workers=outside.workers,
            sender=sender,
            stops=Stops(world=world),
            read_recipes=reader.read,
        ),
        dispatch=Dispatch(
            kinds=KINDS,
            busy=world.busy,
            lanes=world.lanes,
            places=LANE_SIZES.__getitem__,
            ground=outside.ground,
            about=lambda action: {"subject": str(action.id)},
        ),
        delays=Delays(version=world.records.versions.get),
        capacity=Capacity(world=world),
    )


def _membership(outside: Outside, world: World) -> Membership:
    ground, replica = outside.ground, outside.member.ephemeral(paths.BUILDERS)
    return Membership(
        kind="builder",
        ground=ground,
        attendance=world.attendance,
        tree=Tree(ground, TREE),
        wanted=lambda: Presence(replica=replica),
        traces=lambda: (replica.path,) if world.me in world.builders else (),
    )


def _brain(
    outside: Outside, world: World, membership: Membership, starter: Starter, config: Current
) -> Brain:
    log, metrics = outside.ground.log, outside.ground.metrics
    replica = outside.member.ephemeral(paths.BUILDERS)
    reporter = Reporter(
        world=world,
        replica=decode_replica(world.me, replica.data),
        metrics=metrics,
        log=log,
    )
    return Brain(
        ground=outside.ground,
        world=world,
        membership=membership,
        fold=Fold(
            world=world,
            aside=SetAside(log=log, metrics=metrics),
            on_build=reporter.built,
            on_take_home=reporter.taken_home,
        ),
        results=Results(
            context=ResultContext(
                world=world, log=log, config=config, published=reporter.published
            ),
            starter=starter,
            metrics=metrics,
        ),
        starter=starter,
        periodic=Periodic(world=world),
        reporter=reporter,
    )
