"""What a plan may do about machines that are taken home."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, on_nodes
from remuda.model.ids import NodeId
from remuda.model.takehome import SnapshotAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSnapshot:
    """Write whether a machine becomes an image as its holder wishes: granted, or why not."""

    node: NodeId
    answer: SnapshotAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginTakeHome:
    """Make the record that builders carry on, or have one that came to nothing begun again."""

    node: NodeId


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = on_nodes(AnswerSnapshot, BeginTakeHome)
