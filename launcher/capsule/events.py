"""What becomes of capsules."""

from dataclasses import dataclass

from remuda.model.capsule import CapsuleKind, Kept
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleStored:
    """A whole capsule lies where the configuration says, or each place says why not."""

    node: NodeId
    kind: CapsuleKind
    kept: tuple[Kept, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleTold:
    """What is known of a machine that lives is written down, or could not be."""

    node: NodeId
    token: str
