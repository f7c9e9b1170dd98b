"""One launcher process: wiring, registration, reload, and a clean, quick end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launcher.brain import Brain
from launcher.events import Event, Registered
from launcher.fold import Fold
from launcher.hands.clouding import CloudHands
from launcher.hands.crew import Crew
from launcher.hands.proving import ProvingHands
from launcher.hands.writing import Writer
from launcher.neighbours import Neighbours
from launcher.orders import Orders
from launcher.policy import Policy, compile_policy
from launcher.registry import Registry, prepare
from launcher.reporting import Reporter
from launcher.set_aside import SetAside
from launcher.settle import Settle
from launcher.settle_writes import SettleWrites
from launcher.starting import Starter
from launcher.world import World
from remuda import logs
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import Cloud, CloudConfigError
from remuda.cloud.metered import MeteredCloud
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config.model import Config
from remuda.config.problems import ConfigInvalidError
from remuda.config.watch import ConfigWatcher
from remuda.membership.installation import InstallationError
from remuda.membership.registration import Member, Registration, new_replica_id
from remuda.metrics.factory import Instruments, build_instruments
from remuda.model import tags
from remuda.model.ids import NodeId, ProviderName
from remuda.runtime.clock import Clock, SystemClock
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.runtime.signals import Signals
from remuda.ssh.api import Prover
from remuda.ssh.keyfile import load_key
from remuda.ssh.prover import ParamikoProver
from remuda.store import paths
from remuda.store.api import Gone, Session, Store, Stored, StoreError
from remuda.store.configured import store_options
from remuda.store.zookeeper import ZookeeperStore
from remuda.web.pages import Readiness, Sources
from remuda.web.server import WebServer

#: The configuration's files are looked at this often.
CONFIG_PERIOD_S: Final = 2.0


class UnknownProviderError(Exception):
    """The configuration has no such provider."""

    def __init__(self, provider: str, config: Config) -> None:
        known = ", ".join(sorted(config.providers))
        super().__init__(f"there is no provider {provider!r} in the configuration; it has {known}")


class StoppedError(Exception):
    """We were told to stop before we had really begun."""


@dataclass(slots=True)
class Daemon:
    """A launcher of one provider."""

    config_path: Path
    provider: str
    clock: Clock = field(default_factory=SystemClock)
    inbox: Inbox[Event] = field(default_factory=Inbox)
    _mine: set[NodeId] = field(default_factory=set)
    _ready: Readiness = field(default_factory=lambda: Readiness(ok=False, reason="starting"))
    _reporter: Reporter | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises:
            ConfigInvalidError: If the configuration cannot be used at start.
            CloudConfigError: If clouds.yaml cannot.
            ListenError: If the status endpoint cannot listen.
            UnknownProviderError: If the configuration does not name our provider.
            KeyFileError: If our private key cannot be used.
            StoreRefusedError: If ZooKeeper will not have us (any more).
            InstallationError: If ZooKeeper seems to be another installation's.
        """
        watcher = ConfigWatcher(self.config_path, provider=self.provider)
        config = watcher.poll()
        if isinstance(config, ConfigInvalidError):
            raise config
        if config is None:
            raise ValueError("the first look at a configuration always tells something")
        if self.provider not in config.providers:
            raise UnknownProviderError(self.provider, config)
        for warning in watcher.warnings:
            logs.get_logger(daemon=f"launcher/{self.provider}").warning(
                "config.warning", why=str(warning)
            )
        key_file = config.providers[self.provider].ssh_key_file
        if key_file is not None:
            load_key(key_file)
        instruments = build_instruments(config.statsd)
        with Signals(wake=self.inbox.wake) as signals, self._web(config, instruments) as web:
            cloud = self._cloud(config, instruments, "")  # complains of clouds.yaml early
            cloud.close()
            try:
                store = self._connect(config, signals)
            except StoppedError:
                return
            brain = self._build(config, instruments, store, web.url)
            try:
                self._loop(brain, store, watcher, signals, instruments)
            finally:
                brain.starter.crew.stop()
                store.close()

    def _web(self, config: Config, instruments: Instruments) -> WebServer:
        sources = Sources(
            title=f"launcher of {self.provider}",
            metrics=instruments.prometheus.text,
            ready=lambda: self._ready,
            status=self._status,
        )
        return WebServer(sources, listen=config.web.listen, port=config.web.port)

    def _status(self) -> dict[str, Any]:
        return {} if self._reporter is None else dict(self._reporter.snapshot)

    def _connect(self, config: Config, signals: Signals) -> Store:
        log = logs.get_logger(daemon=f"launcher/{self.provider}")

        def waiting(why: str) -> None:
            self._ready = Readiness(ok=False, reason=why)
            log.warning("store.waiting", why=why)
            if signals.stop.is_set():
                raise StoppedError

        store = ZookeeperStore.connect(store_options(config.zookeeper), waiting=waiting)
        if changed := store.secure():
            log.warning("store.secured", znodes=changed)
        return store

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

    def _build(self, config: Config, instruments: Instruments, store: Store, url: str) -> Brain:
        log = logs.get_logger(daemon=f"launcher/{self.provider}")
        policy = compile_policy(config, self.provider)
        installation = prepare(store, self.provider, config.installation)
        me = Member(id=new_replica_id(), started_s=self.clock.now_s(), url=url)
        cloud = self._cloud(config, instruments, installation)
        world = World(policy=policy, neighbours=Neighbours(me=me.id, provider=self.provider))
        world.connected = store.session is Session.CONNECTED
        brain = assemble(
            world=world,
            store=store,
            inbox=self.inbox,
            clock=self.clock,
            log=log,
            instruments=instruments,
            cloud=cloud,
            installation=installation,
            mine=self._mine,
            me=me,
            crew=Crew(inbox=self.inbox),
            prover=ParamikoProver(),
        )
        log.info("launcher.started", replica=me.id, url=url)
        return brain

    def _loop(
        self,
        brain: Brain,
        store: Store,
        watcher: ConfigWatcher,
        signals: Signals,
        instruments: Instruments,
    ) -> None:
        self._reporter = Reporter(world=brain.world, metrics=instruments.metrics)
        config_due_s = self.clock.monotonic_s() + CONFIG_PERIOD_S
        while not signals.stop.is_set():
            now_s = self.clock.monotonic_s()
            brain.turn(wait_s_max=min(brain.wait_s(), max(0.0, config_due_s - now_s)))
            if store.refusal is not None:
                raise store.refusal
            self._ready = _readiness(brain.world)
            self._reporter.report(self.clock.monotonic_s())
            if signals.reload.is_set() or self.clock.monotonic_s() >= config_due_s:
                forced = signals.reload.is_set()
                signals.reload.clear()
                config_due_s = self.clock.monotonic_s() + CONFIG_PERIOD_S
                self._reload(brain, watcher, instruments, forced=forced)
        brain.world.stopping = True
        brain.log.info("launcher.stopped")

    def _reload(
        self, brain: Brain, watcher: ConfigWatcher, instruments: Instruments, *, forced: bool
    ) -> None:
        """Take in a changed configuration; a bad one changes nothing and is reported."""
        found = watcher.poll(force=forced)
        if found is None:
            return
        if not isinstance(found, ConfigInvalidError):
            try:
                self._apply(brain, found, instruments)
            except (CloudConfigError, InstallationError, UnknownProviderError) as exc:
                brain.log.error("config.invalid", why=str(exc))  # noqa: TRY400 - an operator's
                brain.world.config_error = str(exc)
            else:
                brain.world.config_error = None
                brain.log.info("config.reloaded")
        else:
            for problem in found.problems:
                brain.log.error("config.invalid", why=str(problem))
            brain.world.config_error = str(found.problems[0])
        brain.world.agenda.everything = True

    def _apply(self, brain: Brain, config: Config, instruments: Instruments) -> None:
        if self.provider not in config.providers:
            raise UnknownProviderError(self.provider, config)
        installation = brain.world.installation
        if config.installation not in (None, installation):
            raise InstallationError(
                f"this launcher began as installation {installation!r}: start it again to be"
                f" {config.installation!r}"
            )
        cloud = self._cloud(config, instruments, installation)
        reconfigure(brain, compile_policy(config, self.provider), cloud)


def reconfigure(brain: Brain, policy: Policy, cloud: Cloud) -> None:
    """Let a launcher go on under another policy, with the cloud that goes with it."""
    brain.world.adopt_policy(policy)
    brain.starter.orders = Orders(policy=policy, owner=brain.starter.orders.owner)
    brain.starter.cloud.cloud = cloud
    brain.world.cloud.survey_due_s = 0.0
    brain.world.cloud.recipes.clear()
    brain.reregister()


def _readiness(world: World) -> Readiness:
    if not world.connected:
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
    crew: Crew,
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
        proving=ProvingHands(prover=prover, stopped=lambda: crew.stopped),
        orders=Orders(policy=world.policy, owner=owner),
    )
    metrics = instruments.metrics
    writes = SettleWrites(world=world, writer=writer, log=log, metrics=metrics)

    registration = Registration(
        store=store, registered=lambda error: inbox.event(Registered(error=error))
    )
    registry = Registry(member=me, registration=registration)

    def traces() -> tuple[str, ...]:
        return world.neighbours.traces(registry.pool_ids.values())

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
    )
    world.roots = frozenset(roots)
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
