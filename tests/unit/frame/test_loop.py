"""The turn: what came in is taken in before anything is judged, and nothing is judged blindly."""

from dataclasses import dataclass, field
from typing import Any

from remuda.frame.alarms import Alarms
from remuda.frame.loop import RESYNC_S, Loop, start_all
from remuda.frame.work import HandCrashed
from remuda.membership.attendance import REGISTER_AGAIN_S, Attendance
from remuda.membership.membership import Registered
from remuda.metrics.sink import NullMetrics
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.runtime.now import Now
from remuda.store.api import Change, Gone, Session, StoreError, Synced
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.works import Quiet


@dataclass(slots=True)
class Recorder:
    """Notes what it is asked, as an engineer would tell it."""

    attendance: Attendance = field(default_factory=Attendance)
    told: list[str] = field(default_factory=list)
    wants_s: float = float("inf")

    def session_changed(self, session: Session, now: Now) -> None:
        """Note it."""
        del now
        self.told.append(f"session {session}")

    def take_change(self, change: Change, now: Now) -> None:
        """Note it, unless it is that a mirror is complete."""
        del now
        if not isinstance(change, Synced):
            self.told.append(f"change {change.path}")

    def take_event(self, event: str, now: Now) -> None:
        """Note it."""
        del now
        self.told.append(f"event {event}")

    def registered(self, *, there: bool) -> None:
        """Note it."""
        self.told.append("there" if there else "not there")

    def ring(self, kind: str, name: str) -> None:
        """Note it."""
        self.told.append(f"alarm {kind} {name}")

    def resync(self) -> None:
        """Note it."""
        self.told.append("resync")

    def think(self, now: Now) -> None:
        """Note it."""
        del now
        self.told.append("think")

    def due_s(self) -> float:
        """Return what the test says."""
        return self.wants_s


def ground(inbox: Inbox[Any], clock: ManualClock, mind: Recorder | None = None) -> Ground[Any]:
    """Return what a loop stands on."""
    store = FakeZookeeper(clock).connect()
    store.reread = lambda: (mind or Recorder()).told.append("reread")  # type: ignore[method-assign]
    return Ground(store=store, inbox=inbox, clock=clock, log=Quiet(), metrics=NullMetrics())


@dataclass(slots=True)
class Scene:
    """A loop by hand."""

    mind: Recorder = field(default_factory=Recorder)
    clock: ManualClock = field(default_factory=ManualClock)
    alarms: Alarms = field(default_factory=Alarms)
    inbox: Inbox[str | Registered] = field(default_factory=Inbox)
    registered: list[str] = field(default_factory=list)
    seen: bool = True
    loop: Loop[str] = field(init=False)

    def __post_init__(self) -> None:
        """Be connected, registered, and wait for one mirror."""
        self.mind.attendance.connected = True
        self.mind.attendance.roots = frozenset({"/a"})
        self.mind.attendance.was_registered()
        self.loop = Loop(self.mind, ground(self.inbox, self.clock, self.mind), self.alarms, self)

    @property
    def attendance(self) -> Attendance:
        """The mind's."""
        return self.mind.attendance

    def register(self, *, doubtful: bool = False) -> None:
        """Note it."""
        self.registered.append("doubtful" if doubtful else "anew")

    def agrees(self) -> bool:
        """Say what the test wants."""
        return self.seen

    def lost(self) -> None:
        """Note it."""
        self.registered.append("lost")

    def heard(self, event: Registered, now_s: float) -> bool:
        """Take it in as it is."""
        del now_s
        return event.error is None

    def turn(self) -> list[str]:
        """Take a turn, and return what the mind was told."""
        self.mind.told.clear()
        self.loop.turn(wait_s_max=0.0)
        return list(self.mind.told)

    def read(self) -> None:
        """Let the mirror be complete."""
        self.inbox.change(Synced(root="/a"))


def test_news_are_taken_in_before_anything_is_judged() -> None:
    """Session first, then changes, then results, then alarms."""
    scene = Scene()
    scene.alarms.set("node", "1", 0.0)
    scene.inbox.event("done")
    scene.inbox.change(Gone(path="/a/b"))
    scene.inbox.session(Session.CONNECTED)
    scene.read()

    told = scene.turn()

    assert told == [
        *(
            "session connected",
            "change /a/b",
            "event done",
            "alarm node 1",
            "reread",
            "resync",
            "think",
        )
    ]


def test_nothing_is_judged_before_the_mirrors_are_complete() -> None:
    """Again after each change of the session."""
    scene = Scene()
    blind = scene.turn()
    scene.read()
    there = scene.turn()
    scene.inbox.session(Session.CONNECTED)
    again = scene.turn()

    assert ("think" in blind, "think" in there, "think" in again) == (False, True, False)
    scene.read()
    scene.turn()
    assert scene.attendance.synced == {"/a"}


def test_with_a_new_session_we_make_ourselves_seen_again() -> None:
    """Once: the outcome is heard later."""
    scene = Scene()
    for session in (Session.SUSPENDED, Session.LOST, Session.CONNECTED):
        scene.inbox.session(session)
        scene.turn()

    assert scene.registered == ["lost", "anew"]


def test_a_registration_is_taken_in_before_the_mind_hears_of_it() -> None:
    """It is no event of an action."""
    scene = Scene()
    scene.inbox.event(Registered(error=StoreError("no")))
    scene.inbox.event(Registered(error=None))

    assert [one for one in scene.turn() if "there" in one] == ["not there", "there"]


def test_a_session_that_was_only_suspended_keeps_our_ephemerals() -> None:
    """Nothing has to be made."""
    scene = Scene()
    for session in (Session.SUSPENDED, Session.CONNECTED):
        scene.inbox.session(session)
        scene.turn()

    assert scene.registered == []


def test_a_registration_that_failed_ends_the_wait_and_is_tried_again() -> None:
    """By what the mirrors show."""
    scene = Scene()
    scene.read()
    scene.turn()
    scene.mind.attendance.register_failed(scene.clock.monotonic_s())
    wait_s = scene.loop.wait_s()
    scene.clock.advance(wait_s)
    scene.turn()

    assert wait_s == REGISTER_AGAIN_S
    assert scene.registered == ["doubtful"]


def test_ephemerals_that_differ_at_two_looks_are_made_again() -> None:
    """At one look they may only be late."""
    scene = Scene()
    scene.read()
    scene.seen = False
    first = [scene.turn(), *scene.registered]
    scene.clock.advance(RESYNC_S)
    scene.turn()

    assert first == [["reread", "resync", "think"]]
    assert scene.registered == ["doubtful"]


def test_the_wait_ends_with_the_first_thing_that_is_due() -> None:
    """A resync, an alarm, or what the mind wants to think of: if it may."""
    scene = Scene()
    scene.turn()
    idle_s = scene.loop.wait_s()
    scene.mind.wants_s = 1.0
    asleep_s = scene.loop.wait_s()
    scene.alarms.set("node", "1", 7.0)
    alarm_s = scene.loop.wait_s()
    scene.read()
    scene.turn()

    assert (idle_s, asleep_s, alarm_s, scene.loop.wait_s()) == (RESYNC_S, RESYNC_S, 7.0, 1.0)


def test_an_action_that_cannot_be_started_does_not_stop_the_others() -> None:
    """It ends in an event, with its traceback."""
    inbox: Inbox[object] = Inbox()
    begun: list[str] = []

    def start(action: str) -> None:
        if action == "bad":
            raise ZeroDivisionError("a bug of ours")
        begun.append(action)

    start_all(["one", "bad", "two"], start, ground(inbox, ManualClock()))
    (event,) = inbox.drain(wait_s_max=0.0).events

    assert begun == ["one", "two"]
    assert isinstance(event, HandCrashed)
    assert event.action == "bad"
    assert "ZeroDivisionError: a bug of ours" in event.why
