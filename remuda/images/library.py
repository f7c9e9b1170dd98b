"""Everything that is on record about images, as it was read at one time."""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from remuda.images import kinds
from remuda.images.kinds import RecordKind
from remuda.images.moves import Shelf
from remuda.images.references import Holders
from remuda.images.writes import Seen
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.image import (
    IMAGE_NAME,
    PLACE,
    BuildId,
    ImageRecord,
    UploadId,
    number_of,
)
from remuda.model.lastuse import LastUse
from remuda.model.launch import Launch
from remuda.model.pointer import Pointer
from remuda.model.tally import Tally
from remuda.model.upload import Upload
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store, Stored

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The records of all images, with the versions that writes must name.

    Attributes:
        pointers, tallies: By image and provider.
        uses: When images that are made on first use were last used, by image.
        launches: Of all providers, each with its provider.
        unreadable: Paths of what could not be read.
    """

    images: Mapping[str, Stored[ImageRecord]] = field(default_factory=dict)
    builds: Mapping[BuildId, Stored[Build]] = field(default_factory=dict)
    uploads: Mapping[UploadId, Stored[Upload]] = field(default_factory=dict)
    pointers: Mapping[tuple[str, str], Stored[Pointer]] = field(default_factory=dict)
    tallies: Mapping[tuple[str, str], Stored[Tally]] = field(default_factory=dict)
    uses: Mapping[str, Stored[LastUse]] = field(default_factory=dict)
    launches: tuple[tuple[str, Launch], ...] = ()
    unreadable: tuple[str, ...] = ()

    def holders(self) -> Holders:
        """Return what may refer to uploads."""
        return Holders(
            launches=self.launches,
            pointers=tuple(one.value for one in self.pointers.values()),
            builds=tuple(one.value for one in self.builds.values()),
            uploads=tuple(one.value for one in self.uploads.values()),
            unreadable=self.unreadable,
        )

    def shelf(self, image: str, provider: str, place: str) -> Shelf:
        """Return one image in one provider, whose images lie in *place*."""
        pointer = self.pointers.get((image, provider))
        return Shelf(
            image=image,
            provider=provider,
            place=place,
            pointer=None if pointer is None else pointer.value,
            builds={one.number: b.value for one, b in self.builds.items() if one.image == image},
            uploads={
                one.build.number: upload.value
                for one, upload in self.uploads.items()
                if one.build.image == image and one.place == place
            },
        )

    def tally(self, image: str, provider: str) -> Tally:
        """Return what is counted of an image in one provider; nothing if nothing can be read."""
        stored = self.tallies.get((image, provider))
        return Tally(image=image, provider=provider) if stored is None else stored.value

    def seen(self, upload_id: UploadId) -> Seen:
        """Return an upload with its build.

        Raises:
            KeyError: If one of them is not on record.
        """
        return Seen(upload=self.uploads[upload_id], build=self.builds[upload_id.build])


def read(
    store: Store,
    *,
    only: Collection[str] | None = None,
    launched: bool = True,
    just_looking: bool = False,
) -> Library:
    """Read everything anew: what was written before this call is in it.

    It waits for the store a few times, however many images there are.

    Args:
        store: Where it is.
        only: These images; None: all. To move pointers nobody has to know those of others.
        launched: Read the launches, too: only who asks what is in use has to know them.
        just_looking: What is closed to us counts as unreadable, and does not end the reading.

    Raises:
        StoreAwayError: If an answer did not come: then nothing is known.
        NotPermittedError: If ZooKeeper does not let us in.
    """
    reading = _Reading(store, just_looking=just_looking)
    # Our server catches up with this; whatever is asked of it afterwards is at least as new.
    store.read_fresh([paths.IMAGES])
    listed = store.children(paths.IMAGES) if only is None else sorted(only)
    names = [name for name in listed if IMAGE_NAME.fullmatch(name)]
    build_ids = [
        BuildId(name, number)
        for name, below in reading.children(names, paths.builds)
        for number in map(number_of, below)
        if number is not None
    ]
    upload_ids = [
        UploadId(build_id, place)
        for build_id, below in reading.children(build_ids, paths.uploads)
        for place in below
        if PLACE.fullmatch(place)
    ]
    pairs = [
        (name, one) for name, below in reading.children(names, paths.pointers) for one in below
    ]
    return Library(
        images=reading.records(kinds.IMAGES, names),
        builds=reading.records(kinds.BUILDS, build_ids),
        uploads=reading.records(kinds.UPLOADS, upload_ids),
        pointers=reading.records(kinds.POINTERS, pairs),
        tallies=_Reading(store, just_looking=just_looking).records(kinds.TALLIES, pairs),
        uses=_Reading(store, just_looking=just_looking).records(kinds.USES, names),
        launches=_launches(reading) if launched else (),
        unreadable=tuple(reading.odd),
    )


def _launches(reading: "_Reading") -> tuple[tuple[str, Launch], ...]:
    providers = reading.store.children(paths.PROVIDERS)
    keys = [
        (provider, NodeId(node))
        for provider, below in reading.children(providers, paths.launches)
        for node in below
    ]
    found = reading.records(kinds.LAUNCHES, keys)
    return tuple((provider, stored.value) for (provider, _), stored in found.items())


@dataclass(slots=True)
class _Reading:
    """One reading: what cannot be read is named in *odd*."""

    store: Store
    just_looking: bool
    odd: list[str] = field(default_factory=list)

    def children(
        self, keys: Sequence[K], path: Callable[[K], str]
    ) -> Iterator[tuple[K, tuple[str, ...]]]:
        """Yield each key with the names that lie below its path."""
        where = [path(key) for key in keys]
        for key, place, below in zip(keys, where, self.store.children_each(where), strict=True):
            if isinstance(below, NotPermittedError):
                self._closed(place, below)
            else:
                yield key, below

    def records(self, kind: RecordKind[K, T], keys: Sequence[K]) -> dict[K, Stored[T]]:
        """Return the records that are there."""
        found: dict[K, Stored[T]] = {}
        where = [kind.path(key) for key in keys]
        for key, path, stored in zip(keys, where, self.store.read_each(where), strict=True):
            if isinstance(stored, NotPermittedError):
                self._closed(path, stored)
                continue
            try:
                record = kind.read(key, stored)
            except CorruptRecordError:
                self.odd.append(path)
            else:
                if record is not None:
                    found[key] = record
        return found

    def _closed(self, path: str, closed: NotPermittedError) -> None:
        """Go on without *path*, if nothing is decided by what lies there.

        Raises:
            NotPermittedError: Else.
        """
        if not self.just_looking:
            raise closed
        self.odd.append(path)
