"""What a plan may do about images of ours."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds
from remuda.frame.work import WorkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteUse:
    """Write that an image which is made on first use was used, at *at_s* (wall clock)."""

    image: str
    at_s: float


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {NoteUse: WorkKind(None, lambda action: using(action.image))}


def using(image: str) -> tuple[str, str]:
    """Return what is busy while it is written that an image is used."""
    return "use", image
