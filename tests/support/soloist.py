"""One launcher over fakes on one thread and by hand: production code, its logs, its pages."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from launcher.actions import KINDS, Action
from launcher.assembly import assemble
from launcher.brain import Brain
from launcher.capsule.hand_places import CapsuleStore
from launcher.events import Event
from launcher.lanes import LANE_SIZES, Lane
from launcher.policy import compile_policy
from launcher.provider.peers import Peers
from launcher.provider.presence import prepare
from launcher.reporting import Reporter
from launcher.world import World
from remuda import logs
from remuda.config.loader import load
from remuda.frame.workers import Workers
from remuda.membership.registration import Member
from remuda.metrics.factory import Instruments, build_instruments
from remuda.model.ids import ReplicaId
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.runtime.now import Now
from remuda.web.pages import PageSources, Readiness, answer
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.prover import FakeProver
from tests.fakes.store import FakeZookeeper

_INSTRUMENTS: Final[Instruments] = build_instruments(None)


@dataclass(slots=True)
class PromptWorkers(Workers[Action, Event, Lane]):
    """Does everything at once, on the thread of the caller."""

    def submit(self, action: Action, work: Any) -> None:
        """Do it now."""
        self._run(action, work)


@dataclass(slots=True)
class Soloist:
    """A launcher of the provider ``here``.

    Attributes:
        config_file: Read as the daemon reads it.
        stores: Where whole capsules go.
        log: What it logs, as plain text.
    """

    config_file: Path
    cloud: FakeCloud
    prover: FakeProver
    clock: ManualClock
    zookeeper: FakeZookeeper
    stores: tuple[CapsuleStore, ...] = ()
    log: io.StringIO = field(default_factory=io.StringIO)
    brain: Brain = field(init=False)
    reporter: Reporter = field(init=False)

    def __post_init__(self) -> None:
        """Wire it together."""
        logs.configure("plain", "DEBUG", stream=self.log)
        inbox: Inbox[Event] = Inbox()
        store = self.zookeeper.connect()
        policy = compile_policy(load(self.config_file), "here")
        installation = prepare(store, "here")
        me = Member(id=ReplicaId("solo"), started_s=self.clock.now_s())
        world = World(policy=policy, peers=Peers(me=me.id, provider="here"))
        self.brain = assemble(
            world=world,
            ground=Ground(
                store=store,
                inbox=inbox,
                clock=self.clock,
                log=logs.get_logger(daemon="launcher/here"),
                metrics=_INSTRUMENTS.metrics,
            ),
            cloud=self.cloud,
            installation=installation,
            mine=set(),
            me=me,
            workers=PromptWorkers(inbox, KINDS, LANE_SIZES),
            prover=self.prover,
            stores=self.stores,
        )
        self.reporter = Reporter(world=world, metrics=_INSTRUMENTS.metrics)

    def play(self, seconds: float, *, step_s: float = 0.5) -> None:
        """Let time pass, and the launcher do what it does meanwhile."""
        end_s = self.clock.monotonic_s() + seconds
        while self.clock.monotonic_s() < end_s:
            self.zookeeper.deliver()
            self.brain.turn(wait_s_max=0.0)
            self.clock.advance(step_s)
        later = self.clock.monotonic_s() + 10.0
        self.reporter.report(Now(wall_s=self.clock.now_s(), mono_s=later))

    def pages(self) -> bytes:
        """Return all that its status endpoint shows."""
        trouble = str(self.brain.world.cloud.trouble)
        sources = PageSources(
            title="launcher of here",
            metrics=_INSTRUMENTS.prometheus.text,
            ready=lambda: Readiness(ok=True, reason=trouble),
            status=lambda: self.reporter.snapshot,
        )
        return b"".join(answer(page, sources).body for page in ("/", "/ready", "/status"))

    def stored(self) -> dict[str, bytes]:
        """Return every znode."""
        tree = self.zookeeper.tree
        found = {path: tree.get(path) for path in tree.paths()}
        return {path: one.data for path, one in found.items() if one is not None}
