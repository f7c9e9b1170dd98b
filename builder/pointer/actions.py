"""What may be done next with pointers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import Lane
from remuda.frame.work import WorkKind
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DropPointer:
    """Remove the pointer of an image that nobody has used for its time: then its builds go."""

    image: str
    provider: str

    @property
    def id(self) -> tuple[str, str]:
        """What it is done to."""
        return self.image, self.provider


def pointer_name(image: str, provider: str) -> str:
    """Return how a pointer is called, in what keeps it busy and in what is said of it."""
    return f"pointer of {image} in {provider}"


def _pointer(action: MovePointer | DropPointer) -> str:
    return pointer_name(action.image, action.provider)


#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = dict.fromkeys(
    (MovePointer, DropPointer), WorkKind(None, _pointer)
)
