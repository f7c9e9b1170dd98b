"""Many machines at once, on virtual time: threads, rate limit and slow calls as real ones have.

The storms of the simulation let every call take a moment of its own; here calls queue.
"""

import itertools
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from launcher.actions import KINDS, LANES, Action
from launcher.events import Event
from launcher.lanes import LANE_SIZES, Lane
from launcher.server.actions import DeleteServer, ListServers
from remuda.cloud.api import Quota
from remuda.cloud.rate import BURST_S, FairQueue, Traffic
from remuda.model.ids import ReplicaId
from remuda.runtime.inbox import Inbox
from tests.simulation.process import Process, SimWorkers
from tests.simulation.setting import Rates, Setting, config_of
from tests.simulation.simulation import Simulation

LIST_PERIOD_S: Final = 3.0
RATE_PER_S: Final = 10.0
API_TIMEOUT_S: Final = 60.0
#: What a call of the cloud takes, once it is sent.
CALL_S: Final = 0.3
PROOF_S: Final = 60.0
_TRAFFIC: Final = {
    Lane.LIST: Traffic.LIST,
    Lane.CREATE: Traffic.CREATE,
    Lane.DELETE: Traffic.DELETE,
    Lane.EVIDENCE: Traffic.OTHER,
    Lane.OTHER: Traffic.OTHER,
}


@dataclass(slots=True)
class _Catcher:
    """An inbox that keeps what a hand returns."""

    answers: list[Event] = field(default_factory=list)

    def event(self, event: Event) -> None:
        """Keep it."""
        self.answers.append(event)


@dataclass(slots=True)
class PacedWorkers(SimWorkers):
    """Has so many threads in each lane, and one rate limit for all; takes one token per action.

    Attributes:
        hanging: So many of the next deletions are not answered before their time-out.
        consoles_hang: No console is told before that.
        listings: When each listing was sent, and when it was taken in.
    """

    hanging: int = 0
    consoles_hang: bool = False
    listings: list[tuple[float, float]] = field(default_factory=list)
    _queues: dict[Lane, deque[tuple[Action, Callable[[], Event]]]] = field(
        default_factory=lambda: {lane: deque() for lane in Lane}
    )
    _busy: Counter[Lane] = field(default_factory=Counter)
    _waiting: FairQueue[Callable[[], None]] = field(default_factory=FairQueue)
    _due_s: float = 0.0
    _pumping: bool = False

    def submit(self, action: Action, work: Callable[[], Event]) -> None:
        """Queue it for its lane."""
        self._queues[LANES[type(action)]].append((action, work))
        self._begin(LANES[type(action)])

    def _begin(self, lane: Lane) -> None:
        while self._queues[lane] and self._busy[lane] < LANE_SIZES[lane]:
            action, work = self._queues[lane].popleft()
            self._busy[lane] += 1
            traffic = _TRAFFIC.get(lane)
            if traffic is None:
                self._at.after(
                    PROOF_S if lane is Lane.PROOF else CALL_S,
                    lambda a=action, w=work: self._end(a, self._done(a, w)),
                )
            else:
                self._waiting.join(traffic, lambda a=action, w=work: self._call(a, w))
                self._pump()

    @property
    def waiting(self) -> int:
        """How many calls wait for the rate limit."""
        return len(list(self._waiting))

    def _pump(self) -> None:
        if not self._pumping and self._waiting.first() is not None:
            self._pumping = True
            ahead_s = max(0.0, BURST_S - self._interval_s)
            self._at.after(self._due_s - ahead_s - self._at.now_s(), self._let_one_go)

    def _let_one_go(self) -> None:
        assert self.process is not None
        if self.process.frozen:
            self._at.after(self.process.frozen_until_s - self._at.now_s(), self._let_one_go)
            return
        self._pumping = False
        self._due_s = max(self._due_s, self._at.now_s()) + self._interval_s
        self._waiting.serve()()
        self._pump()

    def _call(self, action: Action, work: Callable[[], Event]) -> None:
        sent_s, seconds = self._at.now_s(), CALL_S
        if isinstance(action, DeleteServer) and self.hanging:
            self.hanging, seconds = self.hanging - 1, API_TIMEOUT_S
        asked = self._consoles()
        events = self._done(action, work)
        if self.consoles_hang and self._consoles() > asked:
            seconds = API_TIMEOUT_S
        self._at.after(seconds, lambda: self._end(action, events, sent_s))

    def _consoles(self) -> int:
        assert self.process is not None
        return self.process.sky.cloud.calls["console_log"]

    def _done(self, action: Action, work: Callable[[], Event]) -> list[Event]:
        catcher = _Catcher()
        SimWorkers(cast("Inbox[Event]", catcher), KINDS, LANE_SIZES).run(action, work)
        return catcher.answers

    def _end(self, action: Action, events: list[Event], sent_s: float = 0.0) -> None:
        if isinstance(action, ListServers):
            self.listings.append((sent_s, self._at.now_s()))
        for event in events:
            self.inbox.event(event)
        self._busy[LANES[type(action)]] -= 1
        self._begin(LANES[type(action)])

    @property
    def _interval_s(self) -> float:
        assert self.process is not None
        return 1.0 / self.process.brain.world.policy.config.rate

    @property
    def _at(self) -> Any:
        assert self.process is not None
        return self.process.simulation.timetable

    def oldest_s(self, since_s: float) -> float:
        """Return how old the last complete listing was when the next came, at the most."""
        seen = [one for one in self.listings if one[1] >= since_s]
        return max(ended - sent for (sent, _), (_, ended) in itertools.pairwise(seen))


def document(count: int, *, ready: bool, **provider: Any) -> dict[str, Any]:
    """Return a configuration of *count* ready machines, or of none at all any more."""
    label = {"min-ready": count, "recheck": None} if ready else {"max-ready-age": 1}
    pool = {
        "max-servers": count,
        "labels": {"small": {"image": "debian-12", "flavor": "small", "host-keys": "inject"}},
    }
    return {
        "labels": {"small": label},
        "providers": {
            "alpha": {
                "cloud": "alpha",
                "list-period": LIST_PERIOD_S,
                "rate": RATE_PER_S,
                "api-timeout": API_TIMEOUT_S,
                "max-concurrency": count,
                "ssh-key-file": "/nowhere/key",
                "inject-key": False,
                "pools": {"main": {**pool, "floating-ips": False}},
                **provider,
            }
        },
    }


class _Plain(random.Random):
    """Chance that always takes the first: machines answer at once."""

    def choice(self, seq: Any) -> Any:
        """Return the first."""
        return seq[0]


@dataclass(slots=True)
class Load:
    """One cloud with *count* machines, and the launchers of it.

    Attributes:
        process: The first of them.
    """

    count: int
    provider: dict[str, Any] = field(default_factory=dict)
    replicas: int = 1
    simulation: Simulation = field(init=False)
    process: Process = field(init=False)

    def __post_init__(self) -> None:
        """Start the launchers; nothing runs yet."""
        setting = Setting(
            document=document(self.count, ready=True, **self.provider),
            replicas={"alpha": self.replicas},
            quotas={"alpha": Quota()},
            rates=Rates(),
            clients=0,
            chaos_s=0.0,
        )
        self.simulation = Simulation(seed=1, setting=setting)
        self.simulation.skies["alpha"].rng = _Plain()
        self.process = self._start("alpha0")
        for number in range(1, self.replicas):
            self._start(f"alpha{number}")

    def _start(self, name: str) -> Process:
        simulation = self.simulation
        store = simulation.zookeeper.connect()
        simulation.oracle.launchers[store.session_id] = name
        process = Process(
            simulation=simulation,
            sky=simulation.skies["alpha"],
            name=ReplicaId(name),
            store=store,
            rng=simulation.random(f"process {name}"),
            crew_class=PacedWorkers,
        )
        process.start(config_of(simulation.document))
        simulation.processes.append(process)
        return process

    @property
    def workers(self) -> PacedWorkers:
        """Who does the work."""
        return cast("PacedWorkers", self.process.brain.starter.workers)

    @property
    def cloud(self) -> Any:
        """The cloud."""
        return self.process.sky.cloud

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.simulation.run_until(self.simulation.timetable.now_s() + seconds)

    def machines(self) -> int:
        """Return how many machines of ours there are."""
        return len(self.cloud.truth()) - 1  # and a stranger's

    def until(self, done: Callable[[], bool], *, within_s: float) -> float:
        """Let time pass until *done*, and return how long that took."""
        begun_s = self.simulation.timetable.now_s()
        while not done():
            passed_s = self.simulation.timetable.now_s() - begun_s
            assert passed_s < within_s, f"not within {within_s:g} s"
            self.simulation.step()
        return self.simulation.timetable.now_s() - begun_s

    def make_all(self, *, within_s: float) -> float:
        """Have all machines made and proven; return the seconds."""
        free = self.process.brain.world.nodes.free
        return self.until(lambda: len(free["main", "small"]) == self.count, within_s=within_s)

    def release_all(self, *, within_s: float) -> float:
        """End all machines at the same moment, wait until they are gone; return the seconds."""
        self.simulation.document = document(self.count, ready=False, **self.provider)
        config = config_of(self.simulation.document)
        self.simulation.oracle.configured(config)
        self.process.reload(config)
        return self.until(lambda: not self.process.brain.world.nodes.views, within_s=within_s)
