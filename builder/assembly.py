"""Wiring: one builder, made of its parts and of what lies outside of it."""

from dataclasses import dataclass
from pathlib import Path

from builder.clouds import Clouds
from builder.errands import Action, HandEvent, News, RecipesRead, Registered
from builder.fold import Fold, wanted_of_providers
from builder.known import Known
from builder.lanes import KINDS, PLACES, Lane
from builder.mind import Mind
from builder.orders import Orders
from builder.pauses import Pauses
from builder.policies import compile_images
from builder.reporting import Reporter
from builder.rounds import Rounds
from builder.settle import Settle
from builder.starting import Starter
from builder.treecache import TreeCache
from builder.wiring import HandMeans, WireHands
from builder.worker import BuilderWorker, Current, providers_of
from builder.writing import ROOTS, TREE, Writer
from remuda.config.fingerprint import copied_paths
from remuda.config.model import Config
from remuda.frame.crew import Crew
from remuda.frame.dispatch import Dispatch
from remuda.frame.set_aside import SetAside
from remuda.membership.registration import Member, Presence, Registration
from remuda.metrics.sink import Metrics
from remuda.model.component import decode_replica
from remuda.runtime.clock import Clock
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.store import paths
from remuda.store.api import Session, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a builder is given; tests give their own."""

    config: Config
    store: Store
    inbox: Inbox[News]
    clock: Clock
    log: Log
    metrics: Metrics
    installation: str
    clouds: Clouds
    member: Member
    crew: Crew[Action, HandEvent, Lane]
    wire: WireHands
    work_dir: Path


def assemble(outside: Outside) -> BuilderWorker:
    """Wire one builder together and start its mirrors.

    Raises:
        StoreError: If ZooKeeper does not let us.
        CloudConfigError: If clouds.yaml cannot be used.
    """
    store, config = outside.store, Current(outside.config)
    store.ensure(*TREE)
    outside.clouds.adopt(config.value, providers_of(config.value))
    cache = TreeCache()
    known = Known(me=outside.member.id, configured=compile_images(config.value, cache.read))
    known.attendance.connected = store.session is Session.CONNECTED
    mind = _mind(outside, known, _starter(outside, known, config, cache), config)
    watch(store, outside.inbox, known)
    mind.register()
    return BuilderWorker(
        mind=mind, clouds=outside.clouds, installation=outside.installation, config=config
    )


def _starter(outside: Outside, known: Known, config: Current, cache: TreeCache) -> Starter:
    def read_recipes() -> RecipesRead:
        now = config()
        configured = compile_images(now, cache.read)
        cache.keep(
            [Path(one) for each in configured.recipes.values() for one in copied_paths(each)]
        )
        return RecipesRead(config=now, configured=configured)

    means = HandMeans(
        store=outside.store,
        clouds=outside.clouds,
        clock=outside.clock,
        log=outside.log,
        installation=outside.installation,
        config=config,
        work_dir=outside.work_dir,
    )
    return Starter(
        known=known,
        hands=outside.wire(means),
        dispatch=Dispatch(
            kinds=KINDS,
            busy=known.busy,
            lanes=known.lanes,
            places=PLACES.__getitem__,
            log=outside.log,
            metrics=outside.metrics,
            about=lambda action: {"subject": str(action.id)},
        ),
        crew=outside.crew,
        writer=Writer(store=outside.store, inbox=outside.inbox),
        orders=Orders(known=known),
        pauses=Pauses(version=known.records.versions.get),
        read_recipes=read_recipes,
    )


def _mind(outside: Outside, known: Known, starter: Starter, config: Current) -> Mind:
    log, metrics, inbox = outside.log, outside.metrics, outside.inbox
    replica = outside.member.ephemeral(paths.BUILDERS)
    registration = Registration(
        store=outside.store, registered=lambda error: inbox.event(Registered(error=error))
    )

    def traces() -> tuple[str, ...]:
        return (replica.path,) if known.me in known.builders else ()

    def register(*, doubtful: bool = False) -> None:
        registration.register(Presence(replica=replica), traces() if doubtful else None)

    reporter = Reporter(
        known=known,
        starter=starter,
        replica=decode_replica(known.me, replica.data),
        metrics=metrics,
        log=log,
    )
    return Mind(
        known=known,
        inbox=inbox,
        fold=Fold(known=known, aside=SetAside(log=log, metrics=metrics), on_build=reporter.built),
        settle=Settle(
            known=known,
            starter=starter,
            log=log,
            metrics=metrics,
            config=config,
            published=reporter.published,
        ),
        starter=starter,
        rounds=Rounds(known=known),
        reporter=reporter,
        clock=outside.clock,
        log=log,
        metrics=metrics,
        register=register,
        seen=lambda: registration.agrees(traces()),
        lost=registration.lost,
        reread=outside.store.reread,
    )


def watch(store: Store, inbox: Inbox[News], known: Known) -> None:
    """Start the mirrors."""
    store.on_session(inbox.session)
    known.attendance.roots = frozenset(ROOTS)
    for root in ROOTS:
        if root == paths.PROVIDERS:
            store.mirror(root, inbox.change, wanted=wanted_of_providers)
        else:
            store.mirror(root, inbox.change)
