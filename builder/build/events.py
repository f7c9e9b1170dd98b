"""What the hands of builds bring back."""

from dataclasses import dataclass

from builder.build.actions import KeepSnapshot
from remuda.model.image import BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingEnded:
    """The hand of a build has ended; what came of it, it has written itself.

    Attributes:
        why: What went wrong, for the log; None: there is a snapshot.
    """

    id: BuildId
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionEnded:
    """The hand that finishes the build of a dead builder has ended.

    Attributes:
        why: Why nothing was done, or None.
    """

    action: KeepSnapshot
    why: str | None = None
