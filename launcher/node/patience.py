"""Times of a node: when it is tried again, how long it waited for us, when it was looked at."""

from dataclasses import dataclass

from remuda.model.ids import RequestId


@dataclass(slots=True, kw_only=True, eq=False)
class Patience:
    """How long a node is left alone, and how long it was kept waiting.

    Attributes:
        retry_s: Do nothing more before this (monotonic seconds).
        tries: Attempts at the present step.
        delete_due_s: Ask for its deletion no sooner than this once more (monotonic seconds).
        waited_s: How long it had to wait for us while it was made: for places in lanes, and for
            our connection to ZooKeeper. That is not the machine's fault.
        waited_active_s: How much of that was over when it ran.
    """

    retry_s: float = 0.0
    tries: int = 0
    delete_due_s: float = 0.0
    waited_s: float = 0.0
    waited_active_s: float = 0.0

    def begin_anew(self) -> None:
        """Forget the attempts at the step before."""
        self.retry_s, self.tries = 0.0, 0

    def tried(self, *, again: bool, most: int, retry_s: float) -> bool:
        """Count an attempt; return whether it is made once more, and no sooner than *retry_s*.

        Args:
            again: It may go better the next time.
            most: So many are made in a row.
            retry_s: Monotonic seconds.
        """
        self.tries += 1
        if again and self.tries < most:
            self.retry_s = retry_s
            return True
        self.tries = 0
        return False


@dataclass(slots=True, kw_only=True, eq=False)
class Look:
    """The last look at a waiting ready machine.

    Attributes:
        checked_s: When it began, or the machine became ready (monotonic).
        suspect: The machine did not answer.
        wanted_by: The request that was to have it.
    """

    checked_s: float = float("-inf")
    suspect: bool = False
    wanted_by: RequestId | None = None
