"""What becomes of capsules."""

from dataclasses import dataclass

from remuda.model.capsule import Capsule, Kept
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleStored:
    """A whole capsule lies where the configuration says, or each place says why not.

    Attributes:
        capsule: With what became of it in every place.
        asked: Of the places that were asked for it this time.
        tries: How often it was tried, this one included.
    """

    node: NodeId
    capsule: Capsule
    asked: tuple[Kept, ...]
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleTold:
    """What is known of a machine that lives is written down, or could not be."""

    node: NodeId
    token: str
