"""What a launcher knows of a capsule that is to be stored whole."""

from dataclasses import dataclass

from remuda.model.capsule import Capsule


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingCapsule:
    """A capsule that waits for its turn, or for another try.

    Attributes:
        capsule: With what became of it so far: a place that has it is not asked again.
        tries: How often it was tried.
        due_s: It is left alone until then, on the monotonic clock.
    """

    capsule: Capsule
    tries: int = 0
    due_s: float = 0.0
