"""The hand that looks at clouds, and changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.place.events import ImagesListed, ProviderSeen
from builder.place.sites import Site, build_of, named
from builder.place.view import ListedImage
from remuda.cloud.api import BadOrderError, Cloud, CloudError, GoneError, Image, ImageWanted
from remuda.cloud.image_store import ImageStatus, ImageUsage, StoredImage, hash_of
from remuda.config.images import BaseFrom
from remuda.model.build import Base
from remuda.runtime.clock import Clock

_MIB: Final = 1 << 20
#: An image may be so many times as large as the one before it.
_GROWTH: Final = 1.2


@dataclass(frozen=True, slots=True)
class LookingHand:
    """Looks at one cloud at a time.

    Attributes:
        installation: Whose images are ours.
    """

    clock: Clock
    installation: str

    def look(
        self, site: Site, cloud: Cloud, bases: Mapping[str, BaseFrom], size_bytes: int
    ) -> ProviderSeen:
        """Find out where a provider is, what room it has, and what images start from there.

        Args:
            site: The provider.
            cloud: The same, where images are looked up.
            bases: What each image starts from there, by its name; those of ours are left out.
            size_bytes: Of the largest image that was made last; 0: none was.
        """
        try:
            where = site.images.location()
            full = no_room(site.images.usage(), size_bytes)
            looked = {
                name: self._base(site, cloud, base)
                for name, base in sorted(bases.items())
                if base.image is None
            }
        except CloudError as exc:
            return ProviderSeen(provider=site.provider, trouble=str(exc))
        return ProviderSeen(
            provider=site.provider,
            place=where.place,
            realm=where.realm,
            full=full,
            bases={name: one for name, one in looked.items() if isinstance(one, Base)},
            missing={name: one for name, one in looked.items() if isinstance(one, str)},
        )

    def _base(self, site: Site, cloud: Cloud, base: BaseFrom) -> Base | str:
        """Return what an image starts from, or why it is not there, which is no trouble."""
        try:
            image = cloud.find_image(_wanted(base))
        except BadOrderError as exc:
            return str(exc)
        if (build := build_of(image, self.installation)) is not None:
            return _of_ours(image, build.image)
        try:
            hashed = hash_of(site.images.get_image(image.id))
        except GoneError:
            hashed = None  # it goes this very moment: the next look tells
        return Base(id=image.id, name=image.name, hash=hashed)

    def list_images(self, site: Site, place: str) -> ImagesListed:
        """List the images of ours that lie in a place, by one of the providers that have it."""
        begun_s = self.clock.now_s()
        try:
            why = site.elsewhere(place)
            if why is not None:
                return ImagesListed(place=place, begun_s=begun_s, why=why)
            some = site.images.list_images()
        except CloudError as exc:
            return ImagesListed(place=place, begun_s=begun_s, why=named(site, exc))
        ours = {one.id: seen for one in some if (seen := self._listed(one)) is not None}
        return ImagesListed(place=place, begun_s=begun_s, images=ours)

    def _listed(self, image: StoredImage) -> ListedImage | None:
        build = build_of(image, self.installation)
        if build is None:
            return None
        return ListedImage(
            id=image.id,
            name=image.name,
            build=build,
            active=image.status is ImageStatus.ACTIVE,
        )


def no_room(usage: ImageUsage | None, size_bytes: int) -> str | None:
    """Return why there is no room for another image, or None if there is, or nobody can tell."""
    if usage is None:
        return None
    if usage.images_max is not None and usage.images_used >= usage.images_max:
        return f"{usage.images_used} of {usage.images_max} images are there: the quota is used up"
    needed_mib = -(-int(size_bytes * _GROWTH) // _MIB)
    if usage.mib_max is not None and usage.mib_used + max(needed_mib, 1) > usage.mib_max:
        return (
            f"images use {usage.mib_used} of {usage.mib_max} MiB: another of about"
            f" {needed_mib} MiB has no room"
        )
    return None


def _wanted(base: BaseFrom) -> ImageWanted:
    return ImageWanted(id=base.id, name=base.name, pattern=base.match, properties=base.properties)


def _of_ours(image: Image, name: str) -> str:
    return (
        f"image {image.id} is a build of {name}, which goes when newer ones are proven:"
        f" write base: {{image: {name}}} instead"
    )
