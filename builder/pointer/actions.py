"""What may be done next with pointers."""

from dataclasses import dataclass

from remuda.model.pointer import Pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePointer:
    """Let launches boot another build."""

    image: str
    provider: str
    after: Pointer

    @property
    def id(self) -> tuple[str, str]:
        """What it is done to."""
        return self.image, self.provider
