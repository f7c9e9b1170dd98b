"""How a node comes to its end: what speaks against it, and what its deletion waits for."""

from dataclasses import dataclass

from remuda.metrics.results import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a machine will not do; without *result* it is no failed launch (it was ready once)."""

    result: Result | None
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A launch that failed and whose evidence is not kept yet.

    Attributes:
        until_s: So long at most does the deletion wait for it (monotonic).
    """

    result: Result
    cause: str
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A node that is to be deleted until it is gone; *failure*: whose evidence is kept first."""

    failure: Failure | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class End:
    """The end of a node, as far as it has come.

    Attributes:
        refused: What the cloud or the proof said against it; it is to be condemned.
        deletion: Set when that has begun, for good: nobody may have the node any more.
    """

    refused: Refusal | None = None
    deletion: Deletion | None = None

    @property
    def failure(self) -> Failure | None:
        """Return the failed launch whose evidence is not kept yet, if that is why it ends."""
        return None if self.deletion is None else self.deletion.failure

    def begin(self, failure: Failure | None = None) -> None:
        """Begin the deletion; if it has begun, what it waits for stays unless *failure* is news."""
        if self.deletion is None or failure is not None:
            self.deletion = Deletion(failure=failure)

    def wait_no_more(self) -> None:
        """Go on with a deletion: the evidence is kept, or cannot be had."""
        if self.deletion is not None:
            self.deletion = Deletion()
