"""What happened, in short lines: printed with a failure, and compared to prove determinism."""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.timetable import Timetable


class ViolationError(BaseException):  # no hand may swallow it
    """Something happened that must never happen."""


@dataclass(slots=True)
class History:
    """The last events, and a digest of all."""

    timetable: Timetable
    verbose: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    _digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def note(self, who: str, event: str, **fields: Any) -> None:
        """Take down one event."""
        told = " ".join(f"{key}={value}" for key, value in fields.items() if value is not None)
        line = f"{self.timetable.now_s():9.3f} {who:<9} {event} {told}"
        self.lines.append(line)
        self._digest.update(line.encode())
        if self.verbose:
            print(line)  # noqa: T201 - asked for on the command line

    def digest(self) -> str:
        """Return a word that differs whenever anything differs."""
        return str(self._digest.hexdigest())

    def fail(self, why: str) -> None:
        """Stop the simulation.

        Raises:
            ViolationError: Always.
        """
        self.note("oracle", "VIOLATION", why=why)
        raise ViolationError(why)


@dataclass(frozen=True, slots=True)
class SimLog:
    """A launcher's log, taken down in the history."""

    history: History
    who: str

    def debug(self, event: str, **fields: Any) -> None:
        """Leave it out."""

    def info(self, event: str, **fields: Any) -> None:
        """Take it down."""
        self.history.note(self.who, event, **fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Take it down."""
        self.history.note(self.who, f"WARN {event}", **fields)

    def error(self, event: str, **fields: Any) -> None:
        """Take it down; a crashed hand, and a record that met an error, are bugs of ours."""
        self.history.note(self.who, f"ERROR {event}", **fields)
        if event in ("hand.crashed", "record.unforeseen"):
            self.history.fail(f"{event}: {fields}")
