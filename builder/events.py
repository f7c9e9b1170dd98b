"""What a hand of a builder brings back to its brain."""

from collections.abc import Mapping
from dataclasses import dataclass

from builder.actions import JudgedAction
from builder.view import ListedImage
from remuda.model.build import Base
from remuda.model.image import BuildId, UploadId


@dataclass(frozen=True, slots=True, kw_only=True)
class MakingEnded:
    """The hand of a build has ended; what came of it, it has written itself.

    Attributes:
        why: What went wrong, for the log; None: there is a snapshot.
    """

    id: BuildId
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEnded:
    """The hand of an upload has ended; it has written the record itself."""

    id: UploadId
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnded:
    """A candidate was judged, or could not be; the hand has written the record itself."""

    id: UploadId
    provider: str
    why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A hand that read anew who refers to an upload, or deleted an image, has ended.

    Attributes:
        why: Why nothing was done, or None.
    """

    action: JudgedAction
    why: str | None = None


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
        place, realm: As of :class:`builder.view.ProviderFacts`; None: not known (yet).
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


Event = MakingEnded | CopyEnded | TrialEnded | Kept | ImagesListed | ProviderSeen
