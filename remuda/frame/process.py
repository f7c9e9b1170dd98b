"""A process from its start to its end: configuration, status endpoint, ZooKeeper, turns, reload.

What it is for is its role's; everything that every daemon of ours does alike is here
(docs/adr/0020-one-frame-for-every-process.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from remuda import logs
from remuda.cloud.api import CloudConfigError
from remuda.config.model import Config
from remuda.config.problems import ConfigInvalidError
from remuda.config.watch import ConfigWatcher
from remuda.frame.preparing import Preparing
from remuda.membership.installation import InstallationError
from remuda.membership.registration import Member, new_replica_id
from remuda.metrics.factory import Instruments, build_instruments
from remuda.runtime.clock import Clock, SystemClock
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.runtime.signals import Signals
from remuda.ssh.errors import KeyFileError
from remuda.store.api import Store
from remuda.store.configured import store_options
from remuda.store.zookeeper import ZookeeperStore
from remuda.web.pages import PageSources, Readiness
from remuda.web.server import ListenError, WebServer

#: The configuration's files are looked at this often.
CONFIG_PERIOD_S: Final = 2.0
#: What is prepared for longer than this is said to be late.
PREPARING_S: Final = 60.0


class CannotRunError(Exception):
    """This process cannot begin, or go on, as it is configured; one sentence for an operator."""


#: What an operator has to correct; the text of each says what.
MISTAKES: Final = (
    CannotRunError,
    CloudConfigError,
    InstallationError,
    KeyFileError,
    ListenError,
)


class Worker(Protocol):
    """What a process does once it has ZooKeeper; called in its main thread, but for *status*."""

    def turn(self, *, wait_s_max: float) -> object:
        """Wait for news, at most so long, and do what follows."""

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""

    def readiness(self) -> Readiness:
        """Return whether it can do its work."""

    def report(self) -> None:
        """Renew metrics, and what *status* returns, if it is time."""

    def status(self) -> Mapping[str, Any]:
        """Return what the status page shows; called in other threads."""

    def preparation(self, config: Config) -> Callable[[], None] | None:
        """Return what takes a while and comes before :meth:`reconfigure`; None: nothing does.

        It is called once, in a thread of its own, while turns go on; no other configuration is
        prepared or taken in meanwhile.
        """

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration.

        Raises:
            One of MISTAKES: If that cannot be; nothing was changed.
        """

    def note_config(self, error: str | None) -> None:
        """Hear what is wrong with the configuration; None: it was just taken in."""

    def stop(self) -> None:
        """Begin nothing more; do not wait for what has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a worker begins with.

    Attributes:
        me: This process, as a replica; with the address of its status endpoint.
    """

    config: Config
    ground: Ground[Any]
    me: Member


class Role(Protocol):
    """Which process this is."""

    @property
    def kind(self) -> str:
        """In one word, such as ``launcher``: the noun of its events in logs."""

    @property
    def name(self) -> str:
        """Of this very one, such as ``launcher/east``: in each line of its logs."""

    @property
    def title(self) -> str:
        """For people, such as ``launcher of east``."""

    @property
    def provider(self) -> str | None:
        """Whose part of the configuration must be complete; None: nobody's."""

    def check(self, config: Config, instruments: Instruments) -> None:
        """Complain early of what cannot work.

        Raises:
            One of MISTAKES: If there is such a thing.
        """

    def begin(self, beginning: Beginning) -> Worker:
        """Take up the work.

        Raises:
            StoreError: If ZooKeeper does not let us.
            One of MISTAKES: If an operator has to correct something first.
        """


class StoppedError(Exception):
    """We were told to stop before we had really begun."""


class Connect(Protocol):
    """Connects to ZooKeeper as configured, and waits for it."""

    def __call__(self, config: Config, waiting: Callable[[str], None], log: Log) -> Store:
        """Return the store; *waiting* is told now and then why it takes so long, and may raise."""


def connect_zookeeper(config: Config, waiting: Callable[[str], None], log: Log) -> Store:
    """Connect to the real ZooKeeper, and have our part of it closed to others, if so configured."""
    store = ZookeeperStore.connect(store_options(config.zookeeper), waiting=waiting)
    if changed := store.secure():
        log.warning("store.secured", znodes=changed)
    return store


@dataclass(slots=True)
class Process:
    """One daemon of ours, in the main thread."""

    config_path: Path
    role: Role
    clock: Clock = field(default_factory=SystemClock)
    connect: Connect = connect_zookeeper
    inbox: Inbox[Any] = field(default_factory=Inbox)
    _ready: Readiness = field(default_factory=lambda: Readiness(ok=False, reason="starting"))
    _worker: Worker | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT.

        Raises:
            ConfigInvalidError: If the configuration cannot be used at start.
            StoreRefusedError: If ZooKeeper refuses our session, now or later.
            One of MISTAKES: If an operator has to correct something first.
        """
        log: Log = logs.get_logger(daemon=self.role.name)
        watcher = ConfigWatcher(self.config_path, provider=self.role.provider)
        config = watcher.poll()
        if isinstance(config, ConfigInvalidError):
            raise config
        if config is None:
            raise ValueError("the first look at a configuration always tells something")
        instruments = build_instruments(config.statsd)
        self.role.check(config, instruments)
        for warning in watcher.warnings:
            log.warning("config.warning", why=str(warning))
        with Signals(wake=self.inbox.wake) as signals, self._web(config, instruments) as web:
            try:
                store = self._connect(config, signals, log)
            except StoppedError:
                return
            try:
                self._worker = self.role.begin(
                    self._beginning(config, store, instruments, log, web.url)
                )
                try:
                    self._work(self._worker, store, watcher, signals, log)
                finally:
                    self._worker.stop()
            finally:
                store.close()

    def _beginning(
        self, config: Config, store: Store, instruments: Instruments, log: Log, url: str
    ) -> Beginning:
        ground: Ground[Any] = Ground(
            store=store, inbox=self.inbox, clock=self.clock, log=log, metrics=instruments.metrics
        )
        me = Member(id=new_replica_id(), started_s=self.clock.now_s(), url=url)
        return Beginning(config=config, ground=ground, me=me)

    def _web(self, config: Config, instruments: Instruments) -> WebServer:
        sources = PageSources(
            title=self.role.title,
            metrics=instruments.prometheus.text,
            ready=lambda: self._ready,
            status=lambda: {} if self._worker is None else self._worker.status(),
        )
        web = config.web_of(self.role.provider)
        return WebServer(sources, listen=web.listen, port=web.port)

    def _connect(self, config: Config, signals: Signals, log: Log) -> Store:
        def waiting(why: str) -> None:
            self._ready = Readiness(ok=False, reason=why)
            log.warning("store.waiting", why=why)
            if signals.stop.is_set():
                raise StoppedError

        return self.connect(config, waiting, log)

    def _work(
        self, worker: Worker, store: Store, watcher: ConfigWatcher, signals: Signals, log: Log
    ) -> None:
        reloading = Reloading(worker, watcher, self.clock, log, self.inbox.wake)
        while not signals.stop.is_set():
            worker.turn(wait_s_max=min(worker.wait_s(), reloading.wait_s()))
            if store.refusal is not None:
                raise store.refusal
            self._ready = worker.readiness()
            worker.report()
            reloading.look(signals)
        stopped = f"{self.role.kind}.stopped"
        log.info(stopped)


class Reloading:
    """Looks after the configuration between turns: read, prepared in a thread, taken in."""

    def __init__(
        self,
        worker: Worker,
        watcher: ConfigWatcher,
        clock: Clock,
        log: Log,
        wake: Callable[[], None],
    ) -> None:
        self._worker, self._watcher = worker, watcher
        self._clock, self._log, self._wake = clock, log, wake
        self._due_s = clock.monotonic_s() + CONFIG_PERIOD_S
        self._preparing: Preparing | None = None
        self._late_s = 0.0

    def wait_s(self) -> float:
        """Return how long the next turn may take; who prepares wakes it at the end."""
        if self._preparing is not None:
            return CONFIG_PERIOD_S
        return max(0.0, self._due_s - self._clock.monotonic_s())

    def look(self, signals: Signals) -> None:
        """Go on with what has changed; a bad configuration changes nothing and is reported.

        Raises:
            Exception: A bug of ours, in the thread that prepares.
        """
        if self._preparing is not None:
            if self._preparing.ended():
                config, self._preparing = self._preparing.config, None
                self._due_s = self._clock.monotonic_s()  # it may have changed meanwhile
                self._take_in(config)
            else:
                self._say_if_late()
            return
        if not (signals.reload.is_set() or self._clock.monotonic_s() >= self._due_s):
            return
        forced = signals.reload.is_set()
        signals.reload.clear()
        self._due_s = self._clock.monotonic_s() + CONFIG_PERIOD_S
        found = self._watcher.poll(force=forced)
        if isinstance(found, ConfigInvalidError):
            for problem in found.problems:
                self._log.error("config.invalid", why=str(problem))
            self._worker.note_config(str(found.problems[0]))
        elif found is not None:
            work = self._worker.preparation(found)
            if work is None:
                self._take_in(found)
            else:
                self._preparing = Preparing(found, work, self._wake)
                self._late_s = self._clock.monotonic_s() + PREPARING_S

    def _say_if_late(self) -> None:
        """Say, and say again, that no configuration is taken in: files on a network may hang."""
        if self._clock.monotonic_s() >= self._late_s:
            self._log.warning("config.preparing", why="the files that steps copy are still read")
            self._late_s = self._clock.monotonic_s() + PREPARING_S

    def _take_in(self, config: Config) -> None:
        try:
            self._worker.reconfigure(config)
        except MISTAKES as exc:
            self._log.error("config.invalid", why=str(exc))
            self._worker.note_config(str(exc))
        else:
            self._worker.note_config(None)
            self._log.info("config.reloaded")
