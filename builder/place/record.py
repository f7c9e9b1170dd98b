"""What is remembered of places: what their clouds said last, and the last listings."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from builder.place.events import ImagesListed, ProviderSeen
from builder.place.view import NOT_LISTED, ImageListing
from remuda.model.build import Base


@dataclass(slots=True)
class KnownPlaces:
    """What clouds have told.

    Attributes:
        seen: What each provider's cloud said last.
        listing_troubles: Why a place could not be listed.
        bases: What each image's base is, by image and provider; *missing*: why there is none.
    """

    seen: dict[str, ProviderSeen] = field(default_factory=dict)
    listings: dict[str, ImageListing] = field(default_factory=dict)
    listing_troubles: dict[str, str] = field(default_factory=dict)
    bases: dict[tuple[str, str], Base] = field(default_factory=dict)
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def take_seen(self, event: ProviderSeen) -> None:
        """Take in what a cloud said; what one that is away said before stays true."""
        before, name = self.seen.get(event.provider), event.provider
        if event.trouble is not None and before is not None:
            self.seen[name] = replace(before, trouble=event.trouble)
            return
        self.seen[name] = event
        if event.trouble is None:
            bases, missing = event.bases or {}, event.missing or {}
            self.bases = {key: one for key, one in self.bases.items() if key[1] != name}
            self.bases.update({(image, name): base for image, base in bases.items()})
            self.missing = {key: one for key, one in self.missing.items() if key[1] != name}
            self.missing.update({(image, name): why for image, why in missing.items()})

    def take_listing(self, event: ImagesListed) -> None:
        """Let a listing be the last one; one that failed tells nothing."""
        if event.images is None:
            self.listing_troubles[event.place] = event.why or "it could not be listed"
            return
        self.listing_troubles.pop(event.place, None)
        before = self.listings.get(event.place, NOT_LISTED)
        self.listings[event.place] = ImageListing(
            begun_s=event.begun_s,
            before_s=before.begun_s,
            images=event.images,
            images_before=before.images,
        )

    def forget(self, *, providers: Collection[str], starting: Collection[tuple[str, str]]) -> None:
        """Forget what the configuration does not speak of any more.

        Args:
            providers: Those that have recipes.
            starting: Images that start from something, with the provider where.
        """
        self.seen = {name: one for name, one in self.seen.items() if name in providers}
        self.bases = {key: one for key, one in self.bases.items() if key in starting}
        self.missing = {key: one for key, one in self.missing.items() if key in starting}
        places = {one.place for one in self.seen.values()}
        self.listings = {place: one for place, one in self.listings.items() if place in places}
        self.listing_troubles = {
            place: why for place, why in self.listing_troubles.items() if place in places
        }
