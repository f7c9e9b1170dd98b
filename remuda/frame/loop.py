"""The turn: drain the inbox, take in what it had, judge, wait for the next news or alarm.

Nothing else waits. One thread takes turns, and only it changes what its user knows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from remuda.frame.alarms import Alarms
from remuda.frame.work import word
from remuda.frame.workers import crashed
from remuda.membership.attendance import Attendance
from remuda.membership.membership import Registered
from remuda.runtime.ground import Ground
from remuda.runtime.now import Now
from remuda.store.api import Change, Session, Synced

E = TypeVar("E")
A = TypeVar("A")
E_contra = TypeVar("E_contra", contravariant=True)

#: Everything is judged again at this period, whatever happened: a missed hint costs a minute.
RESYNC_S: Final = 60.0


class Mind(Protocol[E_contra]):
    """What a process knows and judges; nothing of it may wait."""

    def session_changed(self, session: Session, now: Now) -> None:
        """Forget what does not outlive a change of the session."""

    def take_change(self, change: Change, now: Now) -> None:
        """Take in a change of ZooKeeper; which mirrors are complete, the attendance knows."""

    def take_event(self, event: E_contra, now: Now) -> None:
        """Take in what an action did."""

    def registered(self, *, there: bool) -> None:
        """Hear whether our ephemerals are *there*: made just now, or tried in vain."""

    def ring(self, kind: str, name: str) -> None:
        """Put something whose alarm has come on the agenda."""

    def resync(self) -> None:
        """Put everything on the agenda, and doubt what only this process remembers."""

    def think(self, now: Now) -> None:
        """Judge what is on the agenda, and start what follows."""

    def due_s(self) -> float:
        """Return when it wants to think though nothing comes: 0.0: at once; infinity: never."""


class Register(Protocol):
    """Keeps our ephemerals: they are gone with the session, or others are wanted."""

    @property
    def attendance(self) -> Attendance:
        """How we stand with ZooKeeper."""

    def register(self, *, doubtful: bool = False) -> None:
        """Have them made; *doubtful*: some may be there, as the mirrors tell."""

    def agrees(self) -> bool:
        """Whether they are as we believe, as far as the mirrors tell."""

    def lost(self) -> None:
        """Forget what went with the session."""

    def heard(self, event: Registered, now_s: float) -> bool:
        """Take in whether they were made, and return it."""


@dataclass(slots=True)
class Loop(Generic[E]):
    """The one thread that knows and judges for a process.

    Attributes:
        resync_s: When everything is judged again (monotonic).
    """

    mind: Mind[E]
    ground: Ground[E | Registered]
    alarms: Alarms
    membership: Register
    resync_s: float = 0.0
    _unseen: bool = False

    def turn(self, *, wait_s_max: float | None = None) -> None:
        """Wait for news, take them in, and think once, if decisions may be made."""
        news, attendance = self.ground.inbox.drain(wait_s_max=wait_s_max), self.attendance
        now = self.ground.now()
        for session in news.session:
            self._session(session, now)
        for change in news.changes:
            if isinstance(change, Synced):
                attendance.synced.add(change.root)
            self.mind.take_change(change, now)
        for event in news.events:
            if isinstance(event, Registered):
                self.mind.registered(there=self.membership.heard(event, now.mono_s))
            else:
                self.mind.take_event(event, now)
        for kind, name in self.alarms.ring(now.mono_s):
            self.mind.ring(kind, name)
        if now.mono_s >= self.resync_s:
            self.resync_s = now.mono_s + RESYNC_S
            self._resync()
        if attendance.register_is_due(now.mono_s):
            self.membership.register(doubtful=True)
        if attendance.awake:
            self.mind.think(now)

    @property
    def attendance(self) -> Attendance:
        """How we stand with ZooKeeper."""
        return self.membership.attendance

    def _session(self, session: Session, now: Now) -> None:
        self.ground.log.info("session.changed", session=str(session))
        attendance = self.attendance
        attendance.connected = session is Session.CONNECTED
        self.ground.metrics.set_connected(connected=attendance.connected)
        # Until the mirrors have been read again we know nothing for sure.
        attendance.synced.clear()
        self.mind.session_changed(session, now)
        if session is Session.LOST:
            self.ground.metrics.count_session_lost()
            self.membership.lost()
            attendance.lost()
        elif session is Session.CONNECTED and attendance.unseen:
            self.membership.register()

    def _resync(self) -> None:
        self.ground.store.reread()
        self.mind.resync()
        unseen = self.attendance.awake and not self.membership.agrees()
        if unseen and self._unseen:
            # Not just late: somebody removed our ephemerals, or a lost reply left some twice.
            self.membership.register(doubtful=True)
        self._unseen = unseen

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        due_s = [self.resync_s, self.alarms.next_s()]
        if self.attendance.informed:
            due_s.append(self.attendance.register_due_s)
        if self.attendance.awake:
            due_s.append(self.mind.due_s())
        return max(0.0, min(due_s) - self.ground.clock.monotonic_s())


def start_all(actions: Iterable[A], start: Callable[[A], None], ground: Ground[Any]) -> None:
    """Start actions; one that a bug of ours stops ends nothing, and the inbox hears of it."""
    for action in actions:
        try:
            start(action)
        except Exception:  # noqa: BLE001 - the boundary of the hand that writes, as in worker threads
            ground.inbox.event(crashed(action))
        ground.log.debug("action.start", action=word(action))
