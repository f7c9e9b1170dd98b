"""What may be done next with an image as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import Lane
from remuda.frame.work import WorkKind


@dataclass(frozen=True, slots=True)
class MakeImage:
    """Put an image of the configuration on record."""

    id: str


#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    MakeImage: WorkKind(None, lambda one: f"image {one.id}"),
}
