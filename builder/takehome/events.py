"""What hands bring back of take-home images; what came of it is on record."""

from dataclasses import dataclass

from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeHomeEnded:
    """A hand has ended.

    Attributes:
        why: Why it has not come to what it was begun for, or None.
    """

    id: NodeId
    why: str | None = None
