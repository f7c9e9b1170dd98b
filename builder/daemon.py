"""One builder process: its role in the frame of every process, and its wiring."""

import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from builder.clouds import Clouds, MakeCloud, ProviderCloud, openstack
from builder.errands import Action, HandEvent, News, RecipesRead, Registered
from builder.fold import Fold, wanted_of_providers
from builder.hands_api import Hands
from builder.known import Known
from builder.lanes import KINDS, PLACES, Lane
from builder.mind import Mind
from builder.orders import Orders
from builder.pauses import Pauses
from builder.policies import compile_catalogue
from builder.reporting import Reporter
from builder.rounds import Rounds
from builder.settle import Settle
from builder.starting import Starter
from builder.treecache import TreeCache
from builder.wiring import Means, Wire, wire
from builder.writing import Writer
from remuda.config.model import Config
from remuda.config.recipes import recipes
from remuda.frame.crew import Crew
from remuda.frame.process import Beginning, CannotRunError
from remuda.frame.set_aside import SetAside
from remuda.membership.installation import InstallationError, find_installation
from remuda.membership.registration import Member, Presence, Registration, new_replica_id
from remuda.metrics.factory import Instruments
from remuda.metrics.sink import Metrics
from remuda.model.component import decode_replica
from remuda.runtime.clock import Clock, SystemClock
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.ssh.keyfile import load_key
from remuda.store import paths
from remuda.store.api import Session, Store
from remuda.web.pages import Readiness

#: What a builder takes for granted, besides what each image has.
TREE: Final = (
    *(paths.IMAGES, paths.BUILDERS, paths.PROVIDERS, paths.REPLICAS, paths.STATUSES),
    paths.REQUESTS,
)
#: What it mirrors.
ROOTS: Final = (paths.IMAGES, paths.BUILDERS, paths.PROVIDERS, paths.REPLICAS, paths.STATUSES)


def providers_of(config: Config) -> tuple[str, ...]:
    """Return the providers for which images are made."""
    known = recipes(config.images, config.image_defaults, config.providers)
    return tuple(sorted({name for one in known.values() for name in one.makings}))


def check(config: Config, make_cloud: MakeCloud) -> None:
    """Complain early of keys and clouds of providers for which images are made.

    Raises:
        KeyFileError: If a private key cannot be used.
        CloudConfigError: If clouds.yaml cannot.
    """
    for name in providers_of(config):
        key_file = config.providers[name].ssh_key_file
        if key_file is not None:
            load_key(key_file)
        make_cloud(config, name).cloud.close()


def work_folder(parent: Path) -> Path:
    """Return a folder of ours alone below *parent*; the next builder of this user has it, too.

    Raises:
        CannotRunError: If it cannot be made, or is another user's.
    """
    folder = parent / f"remuda-builder-{os.geteuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.stat(follow_symlinks=False)
    except OSError as error:
        raise CannotRunError(f"the folder {folder} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CannotRunError(f"{folder} must be a folder of this user alone: remove it")
    return folder


@dataclass(slots=True)
class BuilderRole:
    """What a builder needs before it has ZooKeeper.

    Attributes:
        wire: Makes its hands.
    """

    wire: Wire = wire
    clock: Clock = field(default_factory=SystemClock)
    inbox: Inbox[News] = field(default_factory=Inbox)
    kind: str = "builder"
    name: str = "builder"
    title: str = "builder of images"
    provider: str | None = None

    def wake(self) -> None:
        """Have the mind look."""
        self.inbox.wake()

    def check(self, config: Config, instruments: Instruments) -> None:
        """Complain early of private keys and clouds.yaml.

        Raises:
            KeyFileError: If a private key cannot be used.
            CloudConfigError: If clouds.yaml cannot.
        """
        check(config, self._cloud_maker("", instruments.metrics))

    def begin(self, beginning: Beginning) -> "BuilderWorker":
        """Wire a builder together.

        Raises:
            StoreError: If ZooKeeper does not let us.
            InstallationError: If ZooKeeper seems to be another installation's.
            CannotRunError: If there are no hands.
        """
        config, store, log = beginning.config, beginning.store, beginning.log
        installation = find_installation(store, config.installation)
        make_cloud = self._cloud_maker(installation, beginning.instruments.metrics)
        worker = assemble(
            config=config,
            store=store,
            inbox=self.inbox,
            clock=self.clock,
            log=log,
            metrics=beginning.instruments.metrics,
            installation=installation,
            clouds=Clouds(make=make_cloud),
            member=Member(id=new_replica_id(), started_s=self.clock.now_s(), url=beginning.url),
            crew=Crew(self.inbox, KINDS, PLACES),
            wire=self.wire,
            work_dir=work_folder(Path(tempfile.gettempdir())),
        )
        log.info("builder.started", replica=worker.mind.known.me, url=beginning.url)
        return worker

    def _cloud_maker(self, installation: str, metrics: Metrics) -> MakeCloud:
        def make(config: Config, provider: str) -> ProviderCloud:
            return openstack(
                config, provider, installation=installation, metrics=metrics, clock=self.clock
            )

        return make


@dataclass(slots=True)
class BuilderWorker:
    """A builder at work.

    Attributes:
        config: What it works by; hands ask for it.
    """

    mind: Mind
    clouds: Clouds
    installation: str
    config: "Current"

    def turn(self, *, wait_s_max: float) -> None:
        """Let the mind take one turn."""
        self.mind.turn(wait_s_max=wait_s_max)

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        return self.mind.loop.wait_s()

    def readiness(self) -> Readiness:
        """Return whether images can be made."""
        attendance = self.mind.known.attendance
        if not attendance.connected:
            return Readiness(ok=False, reason="no connection to ZooKeeper")
        if not attendance.awake:
            return Readiness(ok=False, reason="reading what is in ZooKeeper")
        if not self.mind.known.catalogue.recipes:
            return Readiness(ok=True, reason="at work; the configuration has no images")
        return Readiness(ok=True, reason="at work")

    def report(self) -> None:
        """Renew gauges and the status page."""
        clock = self.mind.clock
        self.mind.reporter.report(Now(wall_s=clock.now_s(), mono_s=clock.monotonic_s()))

    def status(self) -> Mapping[str, Any]:
        """Return what the status page shows."""
        return dict(self.mind.reporter.snapshot)

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration; what has begun goes on as it began.

        Raises:
            InstallationError: If it names another installation.
            KeyFileError: If it names a private key that cannot be used.
            CloudConfigError: If its clouds.yaml cannot be used.
        """
        if config.installation not in (None, self.installation):
            raise InstallationError(
                f"this builder began as installation {self.installation!r}: start it again to be"
                f" {config.installation!r}"
            )
        check(config, self.clouds.make)
        self.clouds.adopt(config, providers_of(config))
        self.config.value = config
        self.mind.rounds.again()

    def note_config(self, error: str | None) -> None:
        """Show what is wrong with the configuration, and judge everything again."""
        self.mind.known.config_error = error
        self.mind.known.dirty = True

    def stop(self) -> None:
        """Begin nothing more, and tell the hands to end; the end of the session frees the rest."""
        self.mind.starter.stop()


@dataclass(slots=True)
class Current:
    """The configuration of now; replaced as a whole, so that other threads may read it."""

    value: Config

    def __call__(self) -> Config:
        """Return it."""
        return self.value


def assemble(
    *,
    config: Config,
    store: Store,
    inbox: Inbox[News],
    clock: Clock,
    log: Log,
    metrics: Metrics,
    installation: str,
    clouds: Clouds,
    member: Member,
    crew: Crew[Action, HandEvent, Lane],
    wire: Wire,
    work_dir: Path,
) -> BuilderWorker:
    """Wire one builder together and start its mirrors; also used by tests with fakes."""
    store.ensure(*TREE)
    clouds.adopt(config, providers_of(config))
    current, cache = Current(config), TreeCache()
    known = Known(me=member.id, catalogue=compile_catalogue(config, cache.read))
    known.attendance.connected = store.session is Session.CONNECTED
    hands = wire(
        Means(
            store=store,
            clouds=clouds,
            clock=clock,
            log=log,
            installation=installation,
            config=current,
            stopped=lambda: crew.stopped,
            work_dir=work_dir,
        )
    )
    starter = _starter(
        known=known,
        hands=hands,
        crew=crew,
        writer=Writer(store=store, inbox=inbox),
        config=current,
        cache=cache,
    )
    replica = member.ephemeral(paths.BUILDERS)
    reporter = Reporter(
        known=known,
        starter=starter,
        replica=decode_replica(member.id, replica.data),
        metrics=metrics,
        log=log,
    )
    registration = Registration(
        store=store, registered=lambda error: inbox.event(Registered(error=error))
    )

    def traces() -> tuple[str, ...]:
        return (replica.path,) if member.id in known.builders else ()

    def register(*, doubtful: bool = False) -> None:
        registration.register(Presence(replica=replica), traces() if doubtful else None)

    mind = Mind(
        known=known,
        inbox=inbox,
        fold=Fold(known=known, aside=SetAside(log=log, metrics=metrics), on_build=reporter.built),
        settle=Settle(
            known=known,
            starter=starter,
            log=log,
            metrics=metrics,
            config=current,
            published=reporter.published,
        ),
        starter=starter,
        rounds=Rounds(known=known),
        reporter=reporter,
        clock=clock,
        log=log,
        metrics=metrics,
        register=register,
        seen=lambda: registration.agrees(traces()),
        lost=registration.lost,
    )
    watch(store, inbox, known)
    register()
    return BuilderWorker(mind=mind, clouds=clouds, installation=installation, config=current)


def _starter(
    *,
    known: Known,
    hands: Hands,
    crew: Crew[Action, HandEvent, Lane],
    writer: Writer,
    config: Callable[[], Config],
    cache: TreeCache,
) -> Starter:
    def read_recipes() -> RecipesRead:
        now = config()
        return RecipesRead(config=now, catalogue=compile_catalogue(now, cache.read))

    return Starter(
        known=known,
        hands=hands,
        crew=crew,
        writer=writer,
        orders=Orders(known=known),
        pauses=Pauses(version=known.records.versions.get),
        read_recipes=read_recipes,
    )


def watch(store: Store, inbox: Inbox[News], known: Known) -> None:
    """Start the mirrors."""
    store.on_session(inbox.session)
    known.attendance.roots = frozenset(ROOTS)
    for root in ROOTS:
        if root == paths.PROVIDERS:
            store.mirror(root, inbox.change, wanted=wanted_of_providers)
        elif root == paths.BUILDERS:
            # What builders say of themselves is for people.
            store.mirror(root, inbox.change, wanted=lambda _path: False)
        else:
            store.mirror(root, inbox.change)
