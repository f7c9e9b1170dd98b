"""What becomes of letting somebody in."""

from dataclasses import dataclass

from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestTried:
    """A guest key was put onto a machine, or could not be.

    Attributes:
        why: Why not; None: it is there.
        again: The machine did not answer this time, and may the next.
    """

    node: NodeId
    key: str
    why: str | None
    again: bool = False
