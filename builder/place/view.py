"""What is known of places: the providers that lie there, and the images that clouds show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from remuda.model.image import BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """A provider of the configuration.

    Attributes:
        place: Where its images lie; see :func:`remuda.model.image.place_of`.
        realm: Whoever has the same can share images by membership.
        trouble: Why nothing is begun there (cloud away, breaker open), or None.
        full: Why there is no room for another image, or None.
    """

    name: str
    place: str
    realm: str = ""
    trouble: str | None = None
    full: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedImage:
    """An image in a cloud that carries our tags, and whose name is the one in them."""

    id: str
    name: str
    build: BuildId
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageListing:
    """The last two complete listings of a place, hidden images too.

    Attributes:
        begun_s, before_s: When the last, and the one before it, were begun (wall clock).
    """

    begun_s: float = -1.0
    before_s: float = -1.0
    images: Mapping[str, ListedImage] = field(default_factory=dict)
    images_before: Mapping[str, ListedImage] = field(default_factory=dict)

    def named(self, name: str | None) -> ListedImage | None:
        """Return the image of this name in the last listing, or None."""
        return next((one for one in self.images.values() if one.name == name), None)

    def steady(self, name: str | None) -> ListedImage | None:
        """Return the image of this name if both listings show it active."""
        one = self.named(name)
        before = None if one is None else self.images_before.get(one.id)
        return one if one and before and one.active and before.active else None

    def without(self, since_s: float, shows: Callable[[ListedImage], bool]) -> bool:
        """Whether both listings were begun after *since_s* and neither shows such an image."""
        both = (*self.images.values(), *self.images_before.values())
        return self.before_s > since_s and not any(map(shows, both))


NOT_LISTED: Final = ImageListing()
