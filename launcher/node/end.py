"""How a node comes to its end: what speaks against it, and what its deletion waits for."""

from dataclasses import dataclass, replace
from typing import Final

from remuda.metrics.results import Result
from remuda.model.capsule import CapsuleKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a machine will not do; without *result* it is no failed launch (it was ready once)."""

    result: Result | None
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A launch, or a job, that failed and whose evidence is not kept yet.

    Attributes:
        result: A word of :class:`Result`, or of :mod:`remuda.model.capsule`.
        until_s: So long at most does the deletion wait for it (monotonic).
    """

    result: str
    cause: str
    until_s: float
    kind: CapsuleKind = CapsuleKind.LAUNCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A node that is to be deleted until it is gone; *failure*: whose evidence is kept first."""

    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def begun(self, failure: Failure | None = None) -> "End":
        """Return it with the deletion begun; if it had, only a *failure* is news."""
        if self.deletion is None or failure is not None:
            return replace(self, deletion=Deletion(failure=failure))
        return self

    def without_evidence(self) -> "End":
        """Return it with a deletion that goes on: the evidence is kept, or cannot be had."""
        return self if self.deletion is None else replace(self, deletion=Deletion())


#: Of most nodes: nothing speaks against them.
LIVING: Final = End()
