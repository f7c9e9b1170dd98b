"""The records of images, put in order: what belongs to which image and provider. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from remuda.images.library import Library
from remuda.images.moves import Shelf
from remuda.model.build import Build
from remuda.model.image import BuildId
from remuda.model.pointer import Pointer
from remuda.model.upload import Upload


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A library with indices, made once: asking it costs what the answer holds.

    Attributes:
        builds: By image and number, oldest first.
        uploads: By build and place.
        pointers: By image and provider.
    """

    library: Library
    builds: Mapping[str, Mapping[int, Build]] = field(init=False)
    uploads: Mapping[BuildId, Mapping[str, Upload]] = field(init=False)
    pointers: Mapping[str, Mapping[str, Pointer]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the indices."""
        builds: defaultdict[str, dict[int, Build]] = defaultdict(dict)
        for build_id in sorted(self.library.builds):
            builds[build_id.image][build_id.number] = self.library.builds[build_id].value
        uploads: defaultdict[BuildId, dict[str, Upload]] = defaultdict(dict)
        for upload_id in sorted(self.library.uploads):
            uploads[upload_id.build][upload_id.place] = self.library.uploads[upload_id].value
        pointers: defaultdict[str, dict[str, Pointer]] = defaultdict(dict)
        for image, provider in sorted(self.library.pointers):
            pointers[image][provider] = self.library.pointers[image, provider].value
        object.__setattr__(self, "builds", dict(builds))
        object.__setattr__(self, "uploads", dict(uploads))
        object.__setattr__(self, "pointers", dict(pointers))

    def images(self) -> tuple[str, ...]:
        """Return the names of all images of which anything is on record."""
        return tuple(sorted({*self.library.images, *self.builds, *self.pointers}))

    def providers(self, image: str) -> tuple[str, ...]:
        """Return the providers that have, or are to have, an image."""
        builds = self.builds.get(image, {}).values()
        found = {*self.pointers.get(image, {}), *(name for one in builds for name in one.group)}
        for one in builds:
            for upload in self.uploads.get(one.id, {}).values():
                found |= upload.trials.keys()
        return tuple(sorted(found))

    def upload_in(self, build: Build, provider: str) -> Upload | None:
        """Return a build's upload in a provider, as far as anything says where that is."""
        some = self.uploads.get(build.id, {})
        for one in some.values():
            if provider in one.trials or one.trying == provider:
                return one
        pointer = self.pointers.get(build.id.image, {}).get(provider)
        if pointer is not None and pointer.place in some:
            return some[pointer.place]
        return some.get(build.place or "") if build.provider == provider else None

    def place(self, image: str, provider: str) -> str | None:
        """Return where the images of a provider lie: where it has proven the newest build."""
        for build in reversed([*self.builds.get(image, {}).values()]):
            for one in self.uploads.get(build.id, {}).values():
                if one.passed(provider):
                    return one.id.place
        pointer = self.pointers.get(image, {}).get(provider)
        return None if pointer is None else pointer.place

    def shelf(self, image: str, provider: str, place: str | None = None) -> Shelf:
        """Return one image in one provider.

        Args:
            image: Which image.
            provider: Which provider.
            place: Where its images lie; None: as far as the records say it.
        """
        where = place or self.place(image, provider) or ""
        builds = self.builds.get(image, {})
        return Shelf(
            image=image,
            provider=provider,
            place=where,
            pointer=self.pointers.get(image, {}).get(provider),
            builds=builds,
            uploads={
                number: upload
                for number, one in builds.items()
                if (upload := self.uploads.get(one.id, {}).get(where)) is not None
            },
        )
