"""What the hands that look at places bring back."""

from collections.abc import Mapping
from dataclasses import dataclass

from builder.place.actions import SweepImage
from builder.place.view import ListedImage
from remuda.model.build import Base


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesListed:
    """Our images in a place, hidden ones too, or why they could not be listed.

    Attributes:
        begun_s: When the listing was begun, wall clock.
    """

    place: str
    begun_s: float
    images: Mapping[str, ListedImage] | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSeen:
    """What the cloud of a provider said of itself, or why it said nothing.

    Attributes:
        place, realm: As of :class:`builder.place.view.ProviderFacts`; None: not known (yet).
        full: Why there is no room for another image, or None.
        bases: What each image's base is now, by image; those that are not there are missing.
        missing: Why, by image.
        trouble: Why the cloud could not be asked, or None.
    """

    provider: str
    place: str | None = None
    realm: str = ""
    full: str | None = None
    bases: Mapping[str, Base] | None = None
    missing: Mapping[str, str] | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEnded:
    """The hand that deletes an image which no record knows has ended.

    Attributes:
        why: Why nothing was done, or None.
    """

    action: SweepImage
    why: str | None = None
