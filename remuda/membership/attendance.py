"""Whether a process is there, for others, and knows what is there: else it decides nothing."""

from dataclasses import dataclass, field
from typing import Final

from remuda.store.locks import contender_stem

#: A registration that failed is tried again after this.
REGISTER_AGAIN_S: Final = 0.5
_NEVER: Final = float("inf")


@dataclass(slots=True)
class Attendance:
    """How a process stands with ZooKeeper.

    Attributes:
        connected: Whether the session is good; nothing new is started otherwise.
        registered: Whether our ephemerals are there, as far as we know.
        register_due_s: When to make our ephemerals once more (monotonic), after a failure.
        roots: What is mirrored. *synced*: those whose mirrors are complete.
        stem: Name, without its number, of our contenders for locks in the present session.
    """

    connected: bool = False
    registered: bool = False
    register_due_s: float = _NEVER
    roots: frozenset[str] = frozenset()
    synced: set[str] = field(default_factory=set)
    stem: str = field(default_factory=contender_stem)

    @property
    def awake(self) -> bool:
        """Whether decisions may be made: session good, mirrors complete, ourselves registered."""
        return self.registered and self.informed

    @property
    def informed(self) -> bool:
        """Whether the session is good and the mirrors are complete."""
        return self.connected and self.roots <= self.synced

    @property
    def unseen(self) -> bool:
        """Whether our ephemerals are neither there nor to be made at a time that is set."""
        return not self.registered and self.register_due_s == _NEVER

    def register_is_due(self, now_s: float) -> bool:
        """Whether a registration that failed is to be tried again; if so, it is said once.

        Not before the mirrors tell what the failed one may have left.
        """
        due = self.informed and now_s >= self.register_due_s
        if due:
            self.register_due_s = _NEVER
        return due

    def register_failed(self, now_s: float) -> None:
        """Note that a registration failed, or that nobody knows whether it did."""
        self.registered, self.register_due_s = False, now_s + REGISTER_AGAIN_S

    def was_registered(self) -> None:
        """Note that our ephemerals are there."""
        self.registered, self.register_due_s = True, _NEVER

    def lost(self) -> None:
        """Forget what went with the session."""
        self.stem = contender_stem()
        self.registered, self.register_due_s = False, _NEVER
