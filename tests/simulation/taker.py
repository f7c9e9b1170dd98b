"""The builder that takes held machines home: real judgements and real hands, in virtual time.

It dies right after anything that it has done, and another one comes.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, cast

from builder.actions import Plan
from builder.machine.hand_begin import InPhases
from builder.machine.hand_login_keys import LoginKey
from builder.place.sites import Sites
from builder.place.view import ProviderFacts
from builder.takehome import lifecycle
from builder.takehome.actions import EndTakeHome, KeepTakeHome, MakeTakeHome, name_of
from builder.takehome.hand_end import EndingHand
from builder.takehome.hand_keep import KeepingHand
from builder.takehome.hand_make import TakeHomeInCloud, TakingHand
from builder.takehome.tasks import TakeHomeTask
from builder.view import WorldView
from remuda.cloud.api import BadOrderError, CloudError, TryLaterError
from remuda.config.takehomes import rules_of
from remuda.images.library import Library
from remuda.model import tags
from remuda.model.ids import NodeId, ProviderName, ReplicaId
from remuda.model.takehome import TakeHome, decode_end_wish, decode_take_home
from remuda.runtime.waiting import Waiting
from remuda.ssh.api import Script
from remuda.ssh.runner import Ran
from remuda.store import paths
from remuda.store.api import Op, Stored, StoreError
from tests.fakes.image_store import FakeImages
from tests.fakes.store import FakeStore
from tests.simulation.batons import Baton, DeadError
from tests.simulation.homerules import HomeRules
from tests.simulation.setting import INSTALLATION, config_of

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

#: What a builder does to clouds that changes something.
_CHANGES: Final = frozenset(
    (
        *("stop_server", "start_server", "snapshot", "delete_image", "edit_image"),
        *("share", "set_visibility"),
    )
)
TURN_S: Final = 1.0
HOST_KEY: Final = f"ssh-ed25519 {'A' * 68}"


class Silent:
    """A log that nobody reads."""

    def step(self, name: str) -> None:
        """See ProgressLog."""

    def write(self, data: bytes) -> None:
        """See ProgressLog."""

    def close(self, *, ok: bool | None = None) -> None:
        """See ProgressLog."""


@dataclass(slots=True)
class Shell:
    """A machine's shell; its scripts end well, or say that there is a secret.

    Attributes:
        run: Told of each script, by name; returns what is wrong.
    """

    run: Callable[[str], str]
    host_key: str = HOST_KEY

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def run_script(self, script: Script, **_: object) -> Ran:
        """Tell of it."""
        why = self.run(script.name)
        return Ran(exit_code=1 if why else 0, why=why, output="")


@dataclass(slots=True)
class Counted:
    """What a builder reaches: each change of it is counted, may fail, and may be its last act.

    Attributes:
        changes: The methods that change something.
        before: Called before each such call, with its name and arguments; after: after it.
    """

    inner: Any
    changes: frozenset[str]
    before: Callable[..., None]
    after: Callable[[str], None]

    def __getattr__(self, name: str) -> Any:
        """Return a method of what is inside."""
        found = getattr(self.inner, name)
        if name not in self.changes:
            return found

        def call(*words: Any, **more: Any) -> Any:
            self.before(name, *words)
            done = found(*words, **more)
            self.after(name)
            return done

        return call


@dataclass(slots=True)
class Taker:
    """One builder at a time.

    Attributes:
        crash_at: Dies right after so many actions.
        actions: So many it has done, all of them together.
        fail: How often the cloud refuses a call, and how often a machine has a secret.
        refusals: Names of calls that the cloud refuses once, the next first.
    """

    simulation: "Simulation"
    rules: HomeRules
    images: Mapping[str, FakeImages]
    fail: float = 0.0
    crash: float = 0.0
    crash_at: int | None = None
    refusals: list[str] = field(default_factory=list)
    incarnation: int = 1
    actions: int = 0
    rng: random.Random = field(init=False)
    store: FakeStore = field(init=False)
    _hands: dict[str, Baton] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connect."""
        self.rng = self.simulation.random("taker")
        self._connect()
        self.store.ensure(paths.TAKE_HOME, paths.TAKE_HOME_ENDS)

    def _connect(self) -> None:
        self.store = self.simulation.zookeeper.connect()

    @property
    def me(self) -> ReplicaId:
        """Its name; whoever comes after it has another one."""
        return ReplicaId(f"taker.{self.incarnation}")

    @property
    def calm(self) -> bool:
        """Whether nothing goes wrong any more."""
        return self.simulation.calm

    # Turns.

    def begin(self) -> None:
        """Take a turn every second, for ever."""
        with contextlib.suppress(StoreError):
            self.turn()
        self.simulation.timetable.after(TURN_S, self.begin)

    def turn(self) -> None:
        """Judge what is on record, and begin what comes of it."""
        records = self._records()
        view = self._view(records)
        plan = Plan()
        lifecycle.step(view, plan)
        works = {MakeTakeHome: self._make, EndTakeHome: self._end, KeepTakeHome: self._keep}
        for action in plan.actions:
            work, stored = works[type(action)], records[action.id]
            self._start(name_of(action.id), lambda baton, w=work, s=stored: w(baton, s))

    def _records(self) -> dict[NodeId, Stored[TakeHome]]:
        found = {}
        for name in self.store.children(paths.TAKE_HOME):
            (stored,) = self.store.read_fresh([paths.take_home(NodeId(name))])
            if stored is not None:
                value = decode_take_home(NodeId(name), stored.value)
                found[NodeId(name)] = Stored(path=stored.path, value=value, version=stored.version)
        return found

    def _view(self, records: Mapping[NodeId, Stored[TakeHome]]) -> WorldView:
        ends: dict[bool, set[NodeId]] = {False: set(), True: set()}
        for name in self.store.children(paths.TAKE_HOME_ENDS):
            (stored,) = self.store.read_fresh([paths.take_home_end(NodeId(name))])
            if stored is not None:
                later = decode_end_wish(NodeId(name), stored.value).token is not None
                ends[later].add(NodeId(name))
        return WorldView(
            now_s=self.simulation.timetable.clock.now_s(),
            me=self.me,
            builders=frozenset({self.me}),
            mine=lambda _thing: True,
            library=Library(),
            policies={},
            providers={name: ProviderFacts(name=name, place="p") for name in self.images},
            busy=frozenset(self._hands),
            take_homes={node: one.value for node, one in records.items()},
            take_home_ends=frozenset(ends[False]),
            take_home_more=frozenset(ends[True]),
        )

    def _start(self, name: str, work: Callable[[Baton], None]) -> None:
        mine = self.incarnation

        def whole(baton: Baton) -> None:
            work(baton)
            self._hands.pop(name, None)

        baton = Baton(self.simulation.timetable, whole, lambda: self.incarnation == mine)
        self._hands[name] = baton
        baton.begin(self.rng.uniform(0.0, 0.3))

    # What hands reach.

    def _did(self, what: str) -> None:
        """Count one thing that was done; it may have been the last one."""
        self.actions += 1
        self.simulation.history.note(self.me, what)
        by_chance = not self.calm and self.rng.random() < self.crash
        if by_chance or self.actions == self.crash_at:
            self.simulation.history.note(self.me, "is dead")
            self.incarnation += 1
            self._hands.clear()
            self._connect()
            raise DeadError

    def _reached_store(self) -> Any:
        mine = self.incarnation

        def before(_name: str, _ops: list[Op]) -> None:
            if self.incarnation != mine:
                raise DeadError

        def after(_name: str) -> None:
            for name in self.simulation.oracle.names(paths.TAKE_HOME):
                one = self.rules.record(NodeId(name))
                if one is not None:
                    self.rules.written(one)
            self._did("writes")

        return Counted(self.store, frozenset({"commit"}), before, after)

    def _reached(self, provider: str, inner: object) -> Any:
        mine = self.incarnation

        def before(name: str, *words: Any) -> None:
            if self.incarnation != mine:
                raise DeadError
            if self.refusals and self.refusals[0] == name:
                self.refusals.pop(0)
                raise BadOrderError(f"sim: no {name}")
            if not self.calm and self.rng.random() < self.fail:
                error = self.rng.choice((TryLaterError, BadOrderError))
                raise cast("CloudError", error(f"sim: no {name}"))
            if name == "delete_image":
                self.rules.deletes(provider, words[0])
            if name == "start_server":
                self.simulation.skies[provider].made_keys.starts_anew(words[0])

        return Counted(inner, _CHANGES, before, self._did)

    def _shell(self) -> Shell:
        def run(name: str) -> str:
            self._did(name)
            planted = not self.calm and name == "quiet" and self.rng.random() < self.fail
            return "it has a secret" if planted else ""

        return Shell(run)

    # The hands.

    def _make(self, baton: Baton, stored: Stored[TakeHome]) -> None:
        one, store = stored.value, self._reached_store()
        config = config_of(self.simulation.document)
        owner = tags.Owner(installation=INSTALLATION, provider=ProviderName(one.provider))
        machines: Any = _Machines(store, self._shell, f"ssh-ed25519 {self.actions:A>68}")
        clock = self.simulation.timetable.clock
        hand = TakingHand(machines=machines, clock=clock, environ={}, wait=baton.wait)
        inside = TakeHomeInCloud(
            record=stored,
            me=self.me,
            owner=owner,
            cloud=self._reached(one.provider, self.simulation.skies[one.provider].cloud),
            images=self._reached(one.provider, self.images[one.provider]),
            user="zuul",
            port=22,
            flavor="small",
            cloud_name=one.provider,
            refusal=rules_of(config).refusal(one.label, one.requestor, one.wish),
        )
        parts = InPhases(waiting=hand.waiting(lambda: False), log=Silent())
        ended = hand.take(hand.work(inside, parts))
        self.simulation.history.note(self.me, "has taken", node=one.node, why=ended.why)

    def _end(self, baton: Baton, stored: Stored[TakeHome]) -> None:
        del baton
        hand = EndingHand(*self._parts())
        self._told("ends", hand.end(TakeHomeTask(record=stored, me=self.me)).why)

    def _keep(self, baton: Baton, stored: Stored[TakeHome]) -> None:
        del baton
        hand, rules = KeepingHand(*self._parts()), rules_of(config_of(self.simulation.document))
        self._told("keeps", hand.keep(TakeHomeTask(record=stored, me=self.me), rules).why)

    def _told(self, what: str, why: str | None) -> None:
        self.simulation.history.note(self.me, what, why=why)

    def _parts(self) -> tuple[Any, Any, str, Sites]:
        reached: Any = {name: self._reached(name, one) for name, one in self.images.items()}
        clock = self.simulation.timetable.clock
        return self._reached_store(), clock, INSTALLATION, Sites(lambda: reached)


@dataclass(slots=True)
class _Machines:
    """See :class:`builder.machine.hand_borrow.Machines`, as far as held machines need it."""

    store: Any
    shell: Callable[[], Shell]
    public: str

    @contextlib.contextmanager
    def entered(self, machine: Any, waiting: Waiting, tell_key: Any) -> Iterator[Any]:
        """Have its launcher let us in."""
        key = LoginKey(file=Path("/nowhere"), public=self.public)
        yield machine.let_in(self.store, key, waiting, tell_key)

    def connect(self, _held: object, _waiting: Waiting) -> Shell:
        """Log in."""
        return self.shell()
