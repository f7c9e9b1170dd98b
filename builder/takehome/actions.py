"""What may be done next with take-home images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from builder.lanes import Lane
from remuda.frame.work import WorkKind
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeTakeHome:
    """Take a held machine, and bring it to a whole image, or go on where another builder died."""

    id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndTakeHome:
    """Delete the image in its cloud, and then its record."""

    id: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTakeHome:
    """Answer whether the image is kept for longer, as somebody wishes."""

    id: NodeId


TakeHomeAction = MakeTakeHome | EndTakeHome | KeepTakeHome


def subject(action: Any) -> str:
    """Return what an action keeps busy: a node's number would be no name among images."""
    return name_of(action.id)


def name_of(node: NodeId) -> str:
    """Return what plans and hands call the take-home image of a node."""
    return f"take-home image {node}"


KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    MakeTakeHome: WorkKind(Lane.MAKE, subject),
    EndTakeHome: WorkKind(Lane.KEEP, subject),
    KeepTakeHome: WorkKind(Lane.KEEP, subject),
}
