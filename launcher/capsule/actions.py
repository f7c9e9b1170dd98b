"""What a plan may do about capsules, besides gathering one (``CollectEvidence``)."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, Lane, capsule
from remuda.frame.work import WorkKind
from remuda.model.capsule import Capsule
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCapsule:
    """Store a whole capsule where the configuration says; its machine waits for nothing of it.

    Attributes:
        capsule: With what became of it before.
        tries: How often it was tried before.
    """

    node: NodeId
    capsule: Capsule
    tries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TellCapsule:
    """Write down what is known of a machine that lives, for whoever wishes that."""

    node: NodeId
    token: str


#: In which threads each kind of action is done, and what it keeps busy meanwhile: no machine.
KINDS: Final[Kinds] = {
    StoreCapsule: WorkKind(Lane.CAPSULE, lambda action: capsule(action.node)),
    TellCapsule: WorkKind(Lane.EVIDENCE, lambda action: capsule(action.node)),
}
