"""Lanes: how much is done at once of each kind of work, and who waits for a place.

Each lane has threads of its own, so that what takes long, or hangs, holds up nothing of another
kind. What has to wait for a place in its lane waits here, where it is still judged, and not in a
queue of threads, where it would only grow old (docs/adr/0014-lanes-and-fences.md).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

L = TypeVar("L", bound=StrEnum)
S = TypeVar("S", bound=str)


@dataclass(slots=True)
class Lanes(Generic[L, S]):
    """How full the lanes are, and who waits for a place, the longest first.

    How many places a lane has is the user's to say, at each question: it may change.

    Attributes:
        waited_for: Lanes that may have to be waited for; the others take whatever comes.
        running: Actions under way.
        waiting: Those that wait, by lane.
        offered: Those that may take a free place in the next turn: they are judged once more.
        since: Since when (monotonic) each of both kinds has waited.
    """

    waited_for: tuple[L, ...]
    running: Counter[L] = field(default_factory=Counter)
    waiting: dict[L, dict[S, None]] = field(init=False)
    offered: dict[L, set[S]] = field(init=False)
    since: dict[S, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nobody."""
        self.waiting = {lane: {} for lane in self.waited_for}
        self.offered = {lane: set() for lane in self.waited_for}

    def admits(self, lane: L, who: S | None, places: int) -> bool:
        """Whether an action may be started now: nobody overtakes those that wait."""
        if lane not in self.waited_for or who in self.offered[lane]:
            return True
        return not self.waiting[lane] and self._free(lane, places) > 0

    def wait(self, lane: L, who: S, now_s: float) -> None:
        """Let somebody wait for a place; who has one in the queue keeps it."""
        self.waiting[lane][who] = None
        self.since.setdefault(who, now_s)

    def enter(self, lane: L, who: S | None, now_s: float) -> float:
        """Take a place, and return how many seconds *who* has waited for it."""
        self.running[lane] += 1
        if who is None or lane not in self.waited_for:
            return 0.0
        self.offered[lane].discard(who)
        self.waiting[lane].pop(who, None)
        return now_s - self.since.pop(who, now_s)

    def leave(self, lane: L) -> None:
        """Give a place back."""
        self.running[lane] -= 1

    def retract(self, now_s: float) -> dict[S, float]:
        """Take back the places that were offered and not taken, and return who waited how long.

        Who did not take one does not want it now; it may wait again, from then on.
        """
        left = set().union(*self.offered.values())
        for lane in self.waited_for:
            self.offered[lane] = set()
        return {who: now_s - self.since.pop(who, now_s) for who in left}

    def offer(self, places: Callable[[L], int]) -> set[S]:
        """Offer the free places to those that have waited longest, and return them."""
        for lane in self.waited_for:
            free = self._free(lane, places(lane))
            for who in list(self.waiting[lane])[: max(0, free)]:
                del self.waiting[lane][who]
                self.offered[lane].add(who)
        return set().union(*self.offered.values())

    def _free(self, lane: L, places: int) -> int:
        return places - self.running[lane] - len(self.offered[lane])
