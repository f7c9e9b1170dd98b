"""What the brain remembers of holds; only its thread changes it."""

import heapq
from dataclasses import dataclass, field

from remuda.model.autohold import AUTOHOLDS_MAX, Autohold, decode_autohold
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a look at a held machine has found.

    Attributes:
        at_s: When, seconds since the epoch.
        logins: Who is logged in; None: the machine did not say.
        warned: Whether people on it were told of the end.
        why: Why nothing was found; None: it was.
    """

    at_s: float
    logins: tuple[str, ...] | None
    warned: bool
    why: str | None = None


@dataclass(slots=True)
class Autoholds:
    """The autoholds of the installation, as mirrored: the oldest, as many as are looked at.

    Which are the oldest ZooKeeper's own times say, that nobody can write. Of the others only names
    are kept, as the mirror keeps them, so that one of them is read when there is room for it.

    Attributes:
        stored: Those that are looked at, by name.
        beyond: When those were made for which there is no room, by name.
        asked: Those that are being read, for there is room now.
    """

    stored: dict[str, Stored[Autohold]] = field(default_factory=dict)
    beyond: dict[str, float] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    _newest: tuple[float, str] | None = None

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return len(self.stored) >= AUTOHOLDS_MAX

    def take(self, change: Put | Dirty | Gone) -> str | None:
        """Take in what became of one; return which one is not looked at for want of room, if any.

        Raises:
            CorruptRecordError: If it cannot be read: it holds nothing then.
        """
        name = change.path.rpartition("/")[2]
        if isinstance(change, Dirty) or change.path == paths.AUTOHOLDS:
            return None
        before = self.stored.pop(name, None)
        if before is not None:
            self._newest = None
        self.beyond.pop(name, None)
        self.asked.discard(name)
        if isinstance(change, Gone) or change.stored is None:
            return None
        found = decode_autohold(name, change.stored.value)
        return self._place(
            name,
            Stored(
                path=change.path,
                value=found,
                version=change.stored.version,
                created_s=change.stored.created_s,
            ),
        )

    def to_read(self) -> list[str]:
        """Return the names of those for which there is room now, which count as asked for."""
        room = AUTOHOLDS_MAX - len(self.stored) - len(self.asked)
        if room <= 0 or not self.beyond:
            return []
        waiting = ((made_s, name) for name, made_s in self.beyond.items() if name not in self.asked)
        names = [name for _, name in heapq.nsmallest(room, waiting)]
        self.asked.update(names)
        return names

    def _place(self, name: str, one: Stored[Autohold]) -> str | None:
        out = None
        if self.full:
            newest = self._newest or max((at.created_s, key) for key, at in self.stored.items())
            self._newest = newest
            if (one.created_s, name) > newest:
                self.beyond[name] = one.created_s
                return name
            out = newest[1]
            del self.stored[out]
            self.beyond[out] = newest[0]
        self.stored[name] = one
        self._newest = None
        return out
