"""What becomes of the host key of a held machine."""

from dataclasses import dataclass

from remuda.model.heldkey import HostKeyEvent
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeyTried:
    """A held machine was told to make a host key, or to show the one that it has made.

    Attributes:
        wanted: What was to happen.
        key: The one that it has made, or is to show; None: it has made none.
        why: Why not.
        again: The machine did not answer this time, and may the next.
    """

    node: NodeId
    wanted: HostKeyEvent
    key: str | None
    why: str | None = None
    again: bool = False
