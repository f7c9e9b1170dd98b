"""What the brain remembers of holds; only its thread changes it."""

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
    """The autoholds of the installation, as mirrored."""

    stored: dict[str, Stored[Autohold]] = field(default_factory=dict)

    def take(self, change: Put | Dirty | Gone) -> None:
        """Take in what became of one.

        Raises:
            CorruptRecordError: If it cannot be read: it holds nothing then.
        """
        name = change.path.rpartition("/")[2]
        if isinstance(change, Dirty):
            return
        self.stored.pop(name, None)
        if isinstance(change, Gone) or change.stored is None:
            return
        if change.path == paths.AUTOHOLDS or len(self.stored) >= AUTOHOLDS_MAX:
            return
        found = decode_autohold(name, change.stored.value)
        self.stored[name] = Stored(path=change.path, value=found, version=change.stored.version)
