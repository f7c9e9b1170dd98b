"""One launcher process: its role in the frame of every process, and its wiring."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from launcher.actions import Action, Plan
from launcher.brain import Brain
from launcher.events import Event, Registered
from launcher.fold import Fold
from launcher.hands.clouding import CloudHands
from launcher.hands.proving import ProvingHands
from launcher.hands.writing import Writer
from launcher.lanes import KINDS, THREADS, Lane
from launcher.neighbours import Neighbours
from launcher.orders import ServerOrders
from launcher.policy import Policy, compile_policy
from launcher.registry import Registry, prepare
from launcher.reporting import Reporter
from launcher.settle import Settle
from launcher.settle_writes import SettleWrites
from launcher.starting import Starter
from launcher.world import World
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import Cloud
from remuda.cloud.metered import MeteredCloud
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config.model import Config
from remuda.frame.crew import Crew
from remuda.frame.process import Beginning, CannotRunError
from remuda.frame.set_aside import SetAside
from remuda.membership.installation import InstallationError
from remuda.membership.registration import Member, Registration, new_replica_id
from remuda.metrics.factory import Instruments
from remuda.model import tags
from remuda.model.ids import NodeId, ProviderName
from remuda.runtime.clock import Clock, SystemClock
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.ssh.api import Prover
from remuda.ssh.keyfile import load_key
from remuda.ssh.prover import ParamikoProver
from remuda.store import paths
from remuda.store.api import Gone, Session, Store, Stored, StoreError
from remuda.web.pages import Readiness


class UnknownProviderError(CannotRunError):
    """The configuration has no such provider."""

    def __init__(self, provider: str, config: Config) -> None:
        known = ", ".join(sorted(config.providers))
        super().__init__(f"there is no provider {provider!r} in the configuration; it has {known}")


@dataclass(slots=True)
class LauncherRole:
    """What a launcher of one provider needs before it has ZooKeeper."""

    provider: str
    clock: Clock = field(default_factory=SystemClock)
    inbox: Inbox[Event] = field(default_factory=Inbox)
    kind: str = "launcher"

    @property
    def name(self) -> str:
        """Which launcher this is, in logs."""
        return f"launcher/{self.provider}"

    @property
    def title(self) -> str:
        """Which launcher this is, for people."""
        return f"launcher of {self.provider}"

    def wake(self) -> None:
        """Have the brain look."""
        self.inbox.wake()

    def check(self, config: Config, instruments: Instruments) -> None:
        """Complain early of the provider's name, our private key, and clouds.yaml.

        Raises:
            UnknownProviderError: If the configuration does not name our provider.
            KeyFileError: If our private key cannot be used.
            CloudConfigError: If clouds.yaml cannot.
        """
        if self.provider not in config.providers:
            raise UnknownProviderError(self.provider, config)
        _check_key(config, self.provider)
        self._cloud(config, instruments, "").close()

    def begin(self, beginning: Beginning) -> "LauncherWorker":
        """Wire a launcher together.

        Raises:
            StoreError: If ZooKeeper does not let us.
            InstallationError: If ZooKeeper seems to be another installation's.
        """
        config, store, instruments = beginning.config, beginning.store, beginning.instruments
        policy = compile_policy(config, self.provider)
        installation = prepare(store, self.provider, config.installation)
        me = Member(id=new_replica_id(), started_s=self.clock.now_s(), url=beginning.url)
        world = World(policy=policy, neighbours=Neighbours(me=me.id, provider=self.provider))
        world.attendance.connected = store.session is Session.CONNECTED
        brain = assemble(
            world=world,
            store=store,
            inbox=self.inbox,
            clock=self.clock,
            log=beginning.log,
            instruments=instruments,
            cloud=self._cloud(config, instruments, installation),
            installation=installation,
            mine=set(),
            me=me,
            crew=Crew(self.inbox, KINDS, THREADS),
            prover=ParamikoProver(),
        )
        beginning.log.info("launcher.started", replica=me.id, url=beginning.url)
        return LauncherWorker(
            brain=brain,
            reporter=Reporter(world=world, metrics=instruments.metrics),
            cloud=lambda config: self._cloud(config, instruments, installation),
        )

    def _cloud(self, config: Config, instruments: Instruments, installation: str) -> Cloud:
        one = config.providers[self.provider]
        account = AccountSettings(
            cloud=one.cloud,
            region=one.region,
            clouds_file=config.clouds_file,
            api_timeout_s=one.api_timeout,
        )
        owner = tags.Owner(installation=installation, provider=ProviderName(self.provider))
        settings = CloudSettings(account=account, owner=owner, rate_per_s=one.rate)

        def observe(operation: str, outcome: str, seconds: float) -> None:
            instruments.metrics.observe_cloud_call(self.provider, operation, outcome, seconds)

        return MeteredCloud(OpenStackCloud(settings, clock=self.clock), observe, clock=self.clock)


@dataclass(slots=True)
class LauncherWorker:
    """A launcher at work.

    Attributes:
        cloud: Makes the cloud that a configuration describes.
    """

    brain: Brain
    reporter: Reporter
    cloud: Callable[[Config], Cloud]

    def turn(self, *, wait_s_max: float) -> Plan:
        """Let the brain take one turn."""
        return self.brain.turn(wait_s_max=wait_s_max)

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        return self.brain.loop.wait_s()

    def readiness(self) -> Readiness:
        """Return whether nodes can be made and handed out."""
        return _readiness(self.brain.world)

    def report(self) -> None:
        """Renew gauges and the status page."""
        clock = self.brain.clock
        self.reporter.report(Now(wall_s=clock.now_s(), mono_s=clock.monotonic_s()))

    def status(self) -> Mapping[str, Any]:
        """Return what the status page shows."""
        return dict(self.reporter.snapshot)

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration.

        Raises:
            UnknownProviderError: If it does not name our provider.
            InstallationError: If it names another installation.
            KeyFileError: If it names a private key that cannot be used.
            CloudConfigError: If its clouds.yaml cannot be used.
        """
        world = self.brain.world
        provider, installation = world.policy.provider, world.installation
        if provider not in config.providers:
            raise UnknownProviderError(provider, config)
        if config.installation not in (None, installation):
            raise InstallationError(
                f"this launcher began as installation {installation!r}: start it again to be"
                f" {config.installation!r}"
            )
        _check_key(config, provider)
        cloud = self.cloud(config)
        reconfigure(self.brain, compile_policy(config, provider), cloud)

    def note_config(self, error: str | None) -> None:
        """Show what is wrong with the configuration, and judge everything again."""
        self.brain.world.config_error = error
        self.brain.world.agenda.everything = True

    def stop(self) -> None:
        """Begin nothing more."""
        self.brain.starter.crew.stop()


def _check_key(config: Config, provider: str) -> None:
    key_file = config.providers[provider].ssh_key_file
    if key_file is not None:
        load_key(key_file)


def reconfigure(brain: Brain, policy: Policy, cloud: Cloud) -> None:
    """Let a launcher go on under another policy, with the cloud that goes with it."""
    brain.world.adopt_policy(policy)
    brain.starter.orders = ServerOrders(policy=policy, owner=brain.starter.orders.owner)
    brain.starter.cloud.cloud = cloud
    cloud_view = brain.world.cloud
    cloud_view.survey_due_s = 0.0
    # What failed is to be tried anew: most likely it is what the new configuration corrects.
    for known in (cloud_view.recipes, cloud_view.refusals, cloud_view.doubted, cloud_view.breakers):
        known.clear()
    brain.reregister()


def _readiness(world: World) -> Readiness:
    if not world.attendance.connected:
        return Readiness(ok=False, reason="no connection to ZooKeeper")
    if not world.awake:
        return Readiness(ok=False, reason="reading what is in ZooKeeper")
    if world.cloud.trouble is not None:
        return Readiness(ok=True, reason=f"the cloud is out of service: {world.cloud.trouble}")
    return Readiness(ok=True, reason="at work")


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
    starter = Starter(
        world=world,
        writer=writer,
        crew=crew,
        cloud=CloudHands(cloud=cloud, store=store, clock=clock, owner=owner),
        proving=ProvingHands(prover, lambda: crew.stopped, clock, inbox),
        orders=ServerOrders(policy=world.policy, owner=owner),
    )
    metrics = instruments.metrics
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
        settle=Settle(world=world, writes=writes, owner=owner, log=log, metrics=metrics),
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
