"""Where a hand tells what it does."""

from typing import Protocol


class ProgressLog(Protocol):
    """The log of one build or trial; thread-safe, and never raises for a store that is away.

    What comes may be text of strangers, in any amount: it is masked and capped there.
    """

    def step(self, name: str) -> None:
        """Begin a step; the one before has ended."""

    def write(self, data: bytes) -> None:
        """Add what was printed."""

    def close(self, *, ok: bool | None = None) -> None:
        """Pass on what is left; nothing more is written.

        Args:
            ok: Whether the last step was done, if that is known.
        """


def say(log: ProgressLog, text: str) -> None:
    """Add a line of our own."""
    log.write(f"{text}\n".encode(errors="replace"))
