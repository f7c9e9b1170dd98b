"""One launcher process: production code over the fakes, run by the simulator step by step."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, cast

from launcher.actions import KINDS, LANES, Action
from launcher.assembly import assemble
from launcher.brain import Brain
from launcher.contradictions import contradictions
from launcher.daemon import reconfigure
from launcher.events import Event
from launcher.lanes import LANE_SIZES, Lane
from launcher.policy import compile_policy
from launcher.provider.peers import Peers
from launcher.provider.presence import prepare
from launcher.start import Starter
from launcher.world import World
from remuda.cloud.api import Cloud
from remuda.config.model import Config
from remuda.frame.workers import Workers
from remuda.membership.registration import Member
from remuda.metrics.factory import Instruments, build_instruments
from remuda.model import tags
from remuda.model.ids import ProviderName, ReplicaId
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Create, Session
from tests.fakes.store import FakeStore
from tests.simulation.history import SimLog
from tests.simulation.setting import INSTALLATION
from tests.simulation.sky import SimProver, Sky, Window
from tests.simulation.timetable import SkewedClock

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

#: A world of so many nodes is validated after every turn, a larger one now and then.
VALIDATED_MAX: Final = 40
VALIDATED_EVERY: Final = 10
INSTRUMENTS: Final[Instruments] = build_instruments(None)


class CrashedError(BaseException):  # no hand may swallow it
    """The process is killed at this instruction."""


@dataclass(slots=True)
class SimWorkers(Workers[Action, Event, Lane]):
    """Does the work of hands at times of the simulator's choice, in no thread."""

    process: "Process | None" = None

    def submit(self, action: Action, work: Callable[[], Event]) -> None:
        """Have it done."""
        assert self.process is not None
        over_ssh = LANES[type(action)] in {Lane.PROOF, Lane.PROBE}
        self.process.order(action, work, slow_s=2.0 if over_ssh else 0.6)

    def run(self, action: Action, work: Callable[[], Event]) -> None:
        """Do the work now, and report at once."""
        self._run(action, work)


@dataclass(slots=True)
class Process:
    """A launcher from its start to its crash.

    Attributes:
        lag_until_s: News from ZooKeeper is late until then.
        frozen_until_s: The whole process stands still until then.
        crash_at: Die right after so many more actions; None: live.
        crew_class: Who does the work of its hands.
    """

    simulation: "Simulation"
    sky: Sky
    name: str
    store: FakeStore
    rng: random.Random
    inbox: Inbox[Event] = field(default_factory=Inbox)
    dead: bool = False
    lag_until_s: float = 0.0
    frozen_until_s: float = 0.0
    crash_at: int | None = None
    crew_class: type[SimWorkers] = SimWorkers
    actions: int = 0
    turns: int = 0
    owner: tags.Owner = field(init=False)
    brain: Brain = field(init=False)

    def start(self, config: Config) -> None:
        """Do what a daemon does at its start.

        Raises:
            InstallationError: If ZooKeeper seems to be another's.
        """
        simulation, provider = self.simulation, self.sky.provider
        clock = SkewedClock(simulation.timetable.clock, simulation.skew_of(self.name))
        policy = compile_policy(config, provider)
        installation = prepare(self.store, provider, config.installation)
        me = Member(id=ReplicaId(self.name), started_s=clock.now_s())
        self.owner = tags.Owner(installation=installation, provider=ProviderName(provider))
        world = World(policy=policy, peers=Peers(me=me.id, provider=provider))
        workers = self.crew_class(self.inbox, KINDS, LANE_SIZES)
        workers.process = self
        self.brain = assemble(
            world=world,
            ground=Ground(
                store=self.store,
                inbox=self.inbox,
                clock=clock,
                log=SimLog(simulation.history, self.name),
                metrics=INSTRUMENTS.metrics,
            ),
            cloud=cast("Cloud", Window(self.sky, self.name)),
            installation=installation,
            mine=set(),
            me=me,
            workers=workers,
            prover=SimProver(self.sky),
        )
        self.brain.starter = self._counted(self.brain.starter)

    def _counted(self, starter: Starter) -> Starter:
        process = self

        class Counted(Starter):
            """Dies after an action, if told so."""

            def start(self, action: Action, now: Now) -> None:
                super().start(action, now)
                process.did(action)

        parts = {one.name: getattr(starter, one.name) for one in fields(starter) if one.init}
        return Counted(**parts)

    def did(self, action: Action) -> None:
        """Count one action; it may have been the last one."""
        self.actions += 1
        if self.crash_at is not None and self.actions >= self.crash_at:
            self.simulation.history.note(self.name, "dies after", action=type(action).__name__)
            raise CrashedError

    @property
    def frozen(self) -> bool:
        """Whether it stands still at present."""
        return self.frozen_until_s > self.simulation.timetable.now_s()

    @property
    def hears(self) -> bool:
        """Whether it hears at once of what is written."""
        wire, now_s = self.store.wire, self.simulation.timetable.now_s()
        deaf = self.dead or self.frozen or self.lag_until_s > now_s or wire.is_behind
        return not deaf and wire.session is Session.CONNECTED

    def has_news(self) -> bool:
        """Whether ZooKeeper has something to tell it."""
        return self.lag_until_s <= self.simulation.timetable.now_s() and self.store.wire.has_news

    def wake_s(self) -> float:
        """Return when its brain wants to think next."""
        now_s = self.simulation.timetable.now_s()
        if self.inbox._news:
            return now_s
        return now_s + self.brain.loop.wait_s()

    def deliver(self) -> None:
        """Hand out some of what ZooKeeper has to tell."""
        for _ in range(self.rng.choice((1, 2, 5, 20, 100))):
            if not self.store.wire.deliver_one():
                break
        if self.rng.random() < 0.01:
            self.lag_until_s = self.simulation.timetable.now_s() + self.rng.uniform(0.01, 1.5)

    def think(self) -> None:
        """Let the brain take one turn."""
        try:
            self.brain.turn(wait_s_max=0.0)
        except CrashedError:
            self.simulation.crash(self)
            return
        self.validate()

    def validate(self) -> None:
        """See that what it knows does not contradict itself."""
        world = self.brain.world
        self.turns += 1
        if len(world.nodes.views) <= VALIDATED_MAX or self.turns % VALIDATED_EVERY == 0:
            wrong = contradictions(world, self.brain.fold.nodes.mine)
            if wrong:
                self.simulation.history.fail(f"the world of {self.name}: {'; '.join(wrong)}")

    def reload(self, config: Config) -> None:
        """Take in another configuration."""
        policy = compile_policy(config, self.sky.provider)
        reconfigure(self.brain, policy, cast("Cloud", Window(self.sky, self.name)))
        self.brain.world.agenda.everything = True
        self.validate()

    def order(self, action: Action, work: Callable[[], Event], *, slow_s: float) -> None:
        """Have a hand's work take effect some time later, and its result arrive later still."""
        timetable = self.simulation.timetable
        timetable.after(self.rng.uniform(0.0, slow_s), lambda: self._effect(action, work))

    def _effect(self, action: Action, work: Callable[[], Event]) -> None:
        timetable = self.simulation.timetable
        if self.dead:
            # What was already on its way when the process died may still arrive there.
            if self.rng.random() < 0.5 and _is_call(action):
                work()
            return
        if self.frozen:
            timetable.after(
                self.frozen_until_s - timetable.now_s(), lambda: self._effect(action, work)
            )
            return
        answers: list[Event] = []
        workers = cast("SimWorkers", self.brain.starter.workers)
        inbox = cast("Inbox[Event]", _Catcher(answers))
        catcher = SimWorkers(inbox, KINDS, LANE_SIZES, stopped=workers.stopped)
        catcher.run(action, work)
        timetable.after(self.rng.uniform(0.0, 0.3), lambda: self._report(answers))

    def _report(self, answers: list[Event]) -> None:
        if self.dead:
            return
        for answer in answers:
            self.inbox.event(answer)


def _is_call(action: Action) -> bool:
    return type(action).__name__ in ("Create", "Delete", "DeleteLeak", "Address")


@dataclass(frozen=True, slots=True)
class _Catcher:
    """An inbox that keeps what a hand returns until it is to arrive."""

    answers: list[Any]

    def event(self, event: Event) -> None:
        """Keep it."""
        self.answers.append(event)


def installation(store: FakeStore) -> None:
    """Give the installation the id that the oracle knows."""
    store.ensure(paths.REMUDA, paths.REQUESTS, paths.REQUEST_LOCKS, paths.NODES)
    store.commit([Create(path=paths.INSTALLATION, data=INSTALLATION.encode())])
