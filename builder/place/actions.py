"""What may be done next in places: they are looked at, listed, and rid of what nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import Lane
from remuda.config.images import BaseFrom
from remuda.frame.work import WorkKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Ask a provider's cloud where its images lie, for room, and for what recipes start from.

    Attributes:
        bases: What to find, by image; those that start from an image of ours are not in it.
        image_bytes: As large as the largest image of ours that is known; 0: none is.
    """

    provider: str
    bases: Mapping[str, BaseFrom]
    image_bytes: int = 0

    @property
    def id(self) -> str:
        """What it is done to."""
        return self.provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPlace:
    """List our images in a place, by one of its providers."""

    place: str
    provider: str

    @property
    def id(self) -> str:
        """What it is done to."""
        return self.place


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepImage:
    """Delete an image with our tags that no record knows, if what is read anew does not either."""

    place: str
    cloud_image: str

    @property
    def id(self) -> tuple[str, str]:
        """What it is done to."""
        return self.place, self.cloud_image


def _swept(action: SweepImage) -> str:
    return f"{action.place} {action.cloud_image}"


#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    Look: WorkKind(Lane.LOOK, lambda one: f"look at {one.provider}"),
    ListPlace: WorkKind(Lane.LOOK, lambda one: f"listing of {one.place}"),
    SweepImage: WorkKind(Lane.KEEP, _swept),
}
