"""How a process becomes one of the living, and stays one: registered, told, read, agreed with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from remuda.membership.attendance import Attendance
from remuda.membership.registration import Presence, Registration
from remuda.membership.tree import Tree
from remuda.runtime.ground import Ground
from remuda.store.api import MissingError, Session, StoreError

_ALL: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """Our ephemeral znodes are there, or *error* says why not."""

    error: StoreError | None


@dataclass(slots=True, kw_only=True)
class Membership:
    """Our place among the replicas.

    Attributes:
        kind: Which process this is, in one word: the noun of its events in logs.
        wanted: Says what is to be seen of us now.
        traces: Returns the paths of our own ephemerals, as far as the mirrors tell.
    """

    kind: str
    ground: Ground[Any]
    attendance: Attendance
    tree: Tree
    wanted: Callable[[], Presence]
    traces: Callable[[], tuple[str, ...]]
    registration: Registration = field(init=False)

    def __post_init__(self) -> None:
        """Have the outcome of each registration told to the inbox."""
        store, inbox = self.ground.store, self.ground.inbox
        self.registration = Registration(
            store=store, registered=lambda error: inbox.event(Registered(error=error))
        )

    def register(self, *, doubtful: bool = False) -> None:
        """Have our ephemerals made; *doubtful*: some may be there, as the mirrors tell."""
        self.registration.register(self.wanted(), self.traces() if doubtful else None)

    def agrees(self) -> bool:
        """Whether our ephemerals are as we believe, as far as the mirrors tell."""
        return self.registration.agrees(self.traces())

    def lost(self) -> None:
        """Forget what went with the session."""
        self.registration.lost()

    def heard(self, event: Registered, now_s: float) -> bool:
        """Take in the outcome of a registration, and return whether we are there."""
        if event.error is None:
            self.attendance.was_registered()
            return True
        # Whether it happened all the same, the mirrors will have told by then.
        what = f"{self.kind}.not-registered"
        self.ground.log.warning(what, why=str(event.error))
        if isinstance(event.error, MissingError):
            self.tree.restore(event.error, now_s)
        self.attendance.register_failed(now_s)
        return False

    def join(
        self, roots: Sequence[str], wanted: Mapping[str, Callable[[str], bool]] = _ALL
    ) -> None:
        """Start the mirrors of *roots*, and have ourselves seen.

        Of some roots only those paths are read that are *wanted*.
        """
        store, inbox = self.ground.store, self.ground.inbox
        store.on_session(inbox.session)
        self.attendance.connected = store.session is Session.CONNECTED
        self.attendance.roots = frozenset(roots)
        for root in roots:
            if root in wanted:
                store.mirror(root, inbox.change, wanted=wanted[root])
            else:
                store.mirror(root, inbox.change)
        self.register()
