"""Dispatch: what is free to begin is begun, and what has ended frees what it kept.

Which action is to begin, and whether it has to wait for a reason of its own, is its user's
judgement. What is the same for every action is here: is its subject busy, is there a place in its
lane, and what is free again after each kind of end.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from remuda.frame.lanes import Lanes
from remuda.frame.work import Busy, Finished, HandCrashed, WorkKind, word
from remuda.runtime.ground import Ground

A = TypeVar("A")
E = TypeVar("E")
L = TypeVar("L", bound=StrEnum)


def nobody(_action: Any) -> None:
    """Let no action wait for a place: it is judged again instead."""


def nothing_more(_action: Any) -> Mapping[str, str]:
    """Name nothing besides the kind of an action."""
    return {}


def always(_action: Any) -> bool:
    """Let no subject be gone."""
    return True


@dataclass(slots=True, kw_only=True)
class Dispatch(Generic[A, L]):
    """Knows what is under way, and lets begin what may.

    Attributes:
        kinds: Lane and subject of every kind of action.
        busy, lanes: What is under way; judgements read both.
        places: How many places a lane has now.
        about: What a line of the log names besides the kind of an action.
        waiter: Who waits, in the queue of a lane, until there is a place for an action; None:
            nobody.
        there: Whether what an action works on still exists; of what is gone even a late word is
            taken in.
    """

    kinds: Mapping[type, WorkKind[L]]
    busy: Busy[A]
    lanes: Lanes[L, Any]
    places: Callable[[L], int]
    ground: Ground[Any]
    about: Callable[[A], Mapping[str, str]] = nothing_more
    waiter: Callable[[A], str | None] = nobody
    there: Callable[[A], bool] = always

    def is_busy(self, action: A) -> bool:
        """Whether something is done already to what *action* works on."""
        kind = self.kinds[type(action)]
        return not kind.takes_over and any(one in self.busy for one in kind.subjects(action))

    def has_place(self, action: A) -> bool:
        """Whether there is a place in the lane of *action*; a transaction needs none."""
        lane = self.kinds[type(action)].lane
        return lane is None or self.lanes.admits(lane, self.waiter(action), self.places(lane))

    def start(self, action: A, begin: Callable[[], bool | None], now_s: float) -> float | None:
        """Have *action* begun if it may be, else let it wait for a place if it is one that waits.

        Args:
            action: What is to be done.
            begin: Gives it to its hand; False: that could not be.
            now_s: Monotonic.

        Returns:
            How many seconds it has waited for its place; None: it was not begun.
        """
        kind, who = self.kinds[type(action)], self.waiter(action)
        if self.is_busy(action):
            return None
        if not self.has_place(action):
            if who is not None and kind.lane is not None:
                self.lanes.wait(kind.lane, who, now_s)
            return None
        if begin() is False:
            return None
        for subject in kind.subjects(action):
            self.busy.enter(subject, action)
        return 0.0 if kind.lane is None else self.lanes.enter(kind.lane, who, now_s)

    def ended(self, action: A) -> bool:
        """Free what *action* works on, and say whether it was under way and not given up."""
        kept = [self.busy.leave(one, action) for one in self.kinds[type(action)].subjects(action)]
        return any(kept)

    def finished(self, news: Finished[A, E]) -> E | HandCrashed[A] | None:
        """Give back what a thread kept, and return what it brought.

        A hand that was given up has no more to say: what it worked on may be in another's hands
        by now. That it crashed is told all the same.

        Returns:
            What is to be taken in, or None.
        """
        action, lane = news.action, self.kinds[type(news.action)].lane
        if lane is not None:
            self.lanes.leave(lane)
        if self.ended(action) or not self.there(action):
            return news.event
        if isinstance(news.event, HandCrashed):
            self.tell(news.event)
        else:
            self.ground.log.info("hand.late", **self.about(action), action=word(action))
        return None

    def tell(self, crash: HandCrashed[A]) -> None:
        """Say that a hand met a bug of ours, and count it."""
        what = word(crash.action)
        self.ground.metrics.count_hand_crash(what)
        self.ground.log.error(
            "hand.crashed", action=what, **self.about(crash.action), why=crash.why
        )
