"""What may be done next to be seen."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publish:
    """Show what we are, and why what we judge waits."""

    data: bytes
    id: str = "status"
