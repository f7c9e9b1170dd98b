"""Work for hands: what an action occupies while it is under way, and how it ends."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from remuda.runtime.now import Now
from remuda.store.api import Done, StoreError

A = TypeVar("A")
E = TypeVar("E")
L = TypeVar("L", bound=StrEnum)

#: What starts each kind of action, or takes in each kind of event.
ByKind = Mapping[type, Callable[[Any, Now], bool | None]]


def none_besides(_action: Any) -> Iterable[Hashable]:
    """Keep nothing busy besides the subject."""
    return ()


@dataclass(frozen=True, slots=True)
class WorkKind(Generic[L]):
    """What actions of one kind occupy.

    Attributes:
        lane: The threads that do it; None: it is a transaction, which waits for nobody.
        subject: What it keeps busy: nothing else is begun on it meanwhile; None: nothing.
        takes_over: Whether it is begun though something hangs that is done to its subject.
        besides: What else it keeps busy.
    """

    lane: L | None
    subject: Callable[[Any], Hashable | None]
    takes_over: bool = False
    besides: Callable[[Any], Iterable[Hashable]] = none_besides

    def subjects(self, action: Any) -> tuple[Hashable, ...]:
        """Return all that *action* keeps busy."""
        subject = self.subject(action)
        return (*(() if subject is None else (subject,)), *self.besides(action))


def nothing(_action: Any) -> None:
    """Keep nothing busy, as far as the set of busy subjects goes."""


def word(action: object) -> str:
    """Return how metrics and logs call an action of this kind.

    People have this word in their dashboards: it stays when a class gets another name, which has
    it as its ``WORD`` then.
    """
    return str(getattr(type(action), "WORD", type(action).__name__))


def _nobody_told(_subject: Hashable, _action: object) -> None:
    """Have nobody who must know."""


@dataclass(slots=True)
class Busy(Generic[A]):
    """What is being worked on, and by which action.

    A subject is entered when its action starts, and left when that very action (by identity: two
    may be equal) has ended. Whoever takes over from a hand that hangs enters it anew; the late
    word of the hand that was given up frees nothing then.

    Attributes:
        changed: Told of each subject that is entered, with its action, or left, with None.
    """

    changed: Callable[[Hashable, A | None], None] = _nobody_told
    _by: dict[Hashable, A] = field(default_factory=dict)

    def __contains__(self, subject: Hashable) -> bool:
        """Whether something is done to *subject*."""
        return subject in self._by

    def __iter__(self) -> Iterator[Hashable]:
        """Return all that is worked on."""
        return iter(self._by)

    def under_way(self) -> Mapping[Hashable, A]:
        """Return what is done, by what it is done to."""
        return MappingProxyType(self._by)

    def enter(self, subject: Hashable, action: A) -> None:
        """Note that *action* has begun."""
        self._by[subject] = action
        self.changed(subject, action)

    def leave(self, subject: Hashable, action: A) -> bool:
        """Note that *action* has ended, and say whether it was not given up before."""
        if self._by.get(subject) is not action:
            return False
        self.give_up(subject)
        return True

    def give_up(self, subject: Hashable) -> None:
        """Wait no more for what is done to *subject*."""
        if self._by.pop(subject, None) is not None:
            self.changed(subject, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(Generic[A]):
    """A transaction ended.

    Attributes:
        made: Ids of what it created, if its sender named them.
        answered_s: When the answer came, monotonic; whoever waits may hear of it later.
        uprooted: It was rejected because something is gone that its process takes for granted.
    """

    action: A
    result: tuple[Done, ...] | StoreError
    made: tuple[str, ...] = ()
    answered_s: float = float("inf")
    uprooted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HandCrashed(Generic[A]):
    """A bug of ours in a hand; the action is forgotten and tried again later."""

    action: A
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished(Generic[A, E]):
    """A thread has ended its work; *event* is what that brought, *action* the very one it did.

    A hand that did not come back in time is given up; its subject may be in another's hands when
    it does come back, and then its word counts no more.
    """

    action: A
    event: E


#: What takes in the answer to the transaction of each kind of action.
Answers = Mapping[type, Callable[[Any, Written[Any], Now], None]]
