"""Intake: how each action ended is taken in, and what it kept is free before anybody hears of it.

What is learnt of an end is its user's. What is the same for every end is here: a hand has brought
something, written something, or met a bug of ours; a transaction was answered; a start failed.
"""

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from remuda.frame.dispatch import Dispatch
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.membership.tree import Tree
from remuda.runtime.now import Now

A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)

End = Finished[A, Any] | Written[A] | HandCrashed[A]


class Learner(Protocol[A_contra]):
    """What a daemon learns of how its actions end."""

    def freed(self, action: A_contra) -> None:
        """Hear that *action* is under way no more; what came of it follows."""

    def brought(self, action: A_contra, event: Any, now: Now) -> None:
        """Learn what a hand has seen or done."""

    def written(self, event: Written[Any], now: Now) -> None:
        """Learn the answer to a transaction."""

    def crashed(self, event: HandCrashed[Any], now: Now) -> None:
        """Let what a bug of ours interrupted wait, or give it back."""


@dataclass(slots=True, kw_only=True)
class Intake(Generic[A]):
    """Takes in the ends of actions."""

    dispatch: Dispatch[A, Any]
    tree: Tree
    learner: Learner[A]

    def take(self, end: End[A], now: Now) -> None:
        """Take in one of them; the late word of a hand that was given up is not."""
        event = self._freed(end)
        match event:
            case None:
                return
            case Written():
                if event.uprooted:
                    self.tree.restore(event.result, now.mono_s)
                self.learner.written(event, now)
            case HandCrashed():
                self.dispatch.tell(event)
                self.learner.crashed(event, now)
            case _:
                self.learner.brought(end.action, event, now)

    def _freed(self, end: End[A]) -> object:
        """Free what an action kept, and return what is to be taken in, or None."""
        event: object = self.dispatch.finished(end) if isinstance(end, Finished) else end
        if event is not None and (isinstance(end, Finished) or self.dispatch.ended(end.action)):
            self.learner.freed(end.action)
        return event
