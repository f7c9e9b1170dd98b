"""What the hands of places are told, and what they do."""

from dataclasses import dataclass
from typing import Protocol

from builder.place.actions import ListPlace, Look, SweepImage
from builder.place.events import ImagesListed, ProviderSeen, SweepEnded
from builder.place.view import ListedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTask:
    """Delete an image with our tags, if no record that is read anew knows it.

    Attributes:
        listed_s: When the first of the two listings that show it was begun, wall clock.
        provider: By which it is deleted.
    """

    action: SweepImage
    image: ListedImage
    listed_s: float
    provider: str


class CloudLooker(Protocol):
    """Looks at clouds."""

    def look(self, action: Look) -> ProviderSeen:
        """Say what a provider's cloud tells of itself."""

    def list_images(self, action: ListPlace) -> ImagesListed:
        """List our images in a place."""


class ImageSweeper(Protocol):
    """Deletes images that no record knows; it reads the records anew, before anything."""

    def sweep(self, task: SweepTask) -> SweepEnded:
        """Delete an image that no record knows."""
