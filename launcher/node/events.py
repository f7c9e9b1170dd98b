"""What becomes of actions on nodes."""

from dataclasses import dataclass
from typing import ClassVar

from remuda.model.capsule import Capsule
from remuda.model.ids import NodeId
from remuda.ssh.api import Proof, ProofStep
from remuda.store.api import Done, StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class IdsDrawn:
    """The counter of node ids was moved, or not."""

    result: tuple[Done, ...] | StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptBegun:
    """A proof has come as far as a script: the machine let us in. The proof itself goes on.

    Attributes:
        step: Setup or check.
        name: Of the script.
        at_s: Wall clock.
    """

    node: NodeId
    step: ProofStep
    name: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """One attempt to prove a machine ended."""

    node: NodeId
    proof: Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A waiting node was looked at, not before *begun_s* (monotonic).

    Attributes:
        why: What is wrong with it; None: all is well.
    """

    WORD: ClassVar = "Knocked"

    node: NodeId
    why: str | None
    begun_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceCollected:
    """The evidence of a failed launch or job is kept, as far as it could be had.

    Attributes:
        capsule: All of it, if it is to be stored besides.
    """

    WORD: ClassVar = "AutopsyDone"

    node: NodeId
    capsule: Capsule | None = None
