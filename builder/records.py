"""What is on record about images, kept up to date change by change."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from remuda.images import kinds
from remuda.images.kinds import RecordKind
from remuda.images.library import Library
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
from remuda.model.takehome import TakeHome, WantedEnd, decode_end_wish, decode_take_home
from remuda.model.tally import Tally
from remuda.model.upload import Upload
from remuda.store.api import Dirty, Gone, Put, Stored

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(slots=True)
class Records:
    """The records of all images, and of the launches that may boot them.

    Attributes:
        launches: Those that name an image of ours: what they boot, or what their holders ask for.
        take_homes: By node; one that cannot be read is left alone, with its image.
        take_home_ends: Those that somebody wants gone; *take_home_more*: kept for longer.
        versions: Of each znode below ``/remuda/images`` that is there, folders too.
        unreadable: Paths of what cannot be read, and may refer to anything.
        reading: Builds whose records are being read; of a new one nothing else is known.
    """

    images: dict[str, Stored[ImageRecord]] = field(default_factory=dict)
    builds: dict[BuildId, Stored[Build]] = field(default_factory=dict)
    uploads: dict[UploadId, Stored[Upload]] = field(default_factory=dict)
    pointers: dict[tuple[str, str], Stored[Pointer]] = field(default_factory=dict)
    tallies: dict[tuple[str, str], Stored[Tally]] = field(default_factory=dict)
    uses: dict[str, Stored[LastUse]] = field(default_factory=dict)
    launches: dict[tuple[str, NodeId], Stored[Launch]] = field(default_factory=dict)
    take_homes: dict[NodeId, Stored[TakeHome]] = field(default_factory=dict)
    take_home_ends: set[NodeId] = field(default_factory=set)
    take_home_more: set[NodeId] = field(default_factory=set)
    versions: dict[str, int] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    reading: set[BuildId] = field(default_factory=set)
    _booted: tuple[tuple[str, Launch], ...] | None = None

    def library(self) -> Library:
        """Return what is known now; it changes with the records, so it is for one judgement."""
        if self._booted is None:
            self._booted = tuple(
                (provider, one.value) for (provider, _), one in self.launches.items()
            )
        return Library(
            images=self.images,
            builds=self.builds,
            uploads=self.uploads,
            pointers=self.pointers,
            tallies=self.tallies,
            uses=self.uses,
            launches=self._booted,
            unreadable=tuple(sorted(self.unreadable)),
        )

    def take(self, where: list[str], change: Put | Dirty | Gone) -> bool:
        """Take in a change, and say whether it was one of what is kept here.

        Args:
            where: The parts of its path below ``/remuda``.
            change: What was told.

        Raises:
            CorruptRecordError: If the record cannot be read; then it is unreadable.
        """
        match where:
            case ["images", name] if IMAGE_NAME.fullmatch(name):
                if isinstance(change, Put) and change.stored and not change.stored.value:
                    change = Gone(path=change.path)  # only its folders have been made
                self._put(kinds.IMAGES, self.images, name, change)
            case ["images", name, "use"] if IMAGE_NAME.fullmatch(name):
                self._use(name, change)
            case ["images", name, "builds", number] if number_of(number):
                build_id = BuildId(name, int(number))
                keep = self.reading.add if isinstance(change, Dirty) else self.reading.discard
                keep(build_id)
                self._put(kinds.BUILDS, self.builds, build_id, change)
            case ["images", name, "builds", number, "uploads", place] if number_of(
                number
            ) and PLACE.fullmatch(place):
                upload_id = UploadId(BuildId(name, int(number)), place)
                self._put(kinds.UPLOADS, self.uploads, upload_id, change)
            case ["images", name, "pointers", provider]:
                self._put(kinds.POINTERS, self.pointers, (name, provider), change)
            case ["images", name, "pointers", provider, "tally"]:
                self._tally((name, provider), change)
            case ["providers", provider, "launches", node]:
                self._launch((provider, NodeId(node)), change)
            case _:
                return False
        return True

    def _launch(self, key: tuple[str, NodeId], change: Put | Dirty | Gone) -> None:
        """Keep those that have to do with an image of ours: of the others there are many."""
        self._booted = None
        self._put(kinds.LAUNCHES, self.launches, key, change)
        kept = self.launches.get(key)
        value = None if kept is None else kept.value
        if value is not None and value.image_build is None and value.capture is None:
            del self.launches[key]

    def _tally(self, key: tuple[str, str], change: Put | Dirty | Gone) -> None:
        """Keep what is counted; it refers to nothing, so that one that is unreadable harms none."""
        try:
            self._put(kinds.TALLIES, self.tallies, key, change)
        except CorruptRecordError:
            self._keep_empty(self.tallies, key, change, Tally(image=key[0], provider=key[1]))
            raise
        finally:
            self.unreadable.discard(change.path)

    def _use(self, image: str, change: Put | Dirty | Gone) -> None:
        """Keep a last use; of one that cannot be read nobody knows whether it is long ago."""
        try:
            self._put(kinds.USES, self.uses, image, change)
        except CorruptRecordError:
            self._keep_empty(self.uses, image, change, LastUse(image=image))
            raise
        finally:
            self.unreadable.discard(change.path)

    def _keep_empty(
        self, records: dict[K, Stored[T]], key: K, change: Put | Dirty | Gone, value: T
    ) -> None:
        """Know of a record that is there only which version it has."""
        if isinstance(change, Put) and change.stored is not None:
            stored = change.stored
            records[key] = Stored(path=stored.path, value=value, version=stored.version)

    def take_home(self, node: NodeId, change: Put | Gone) -> None:
        """Keep a take-home image; it refers to no other.

        Raises:
            CorruptRecordError: If the record cannot be read.
        """
        self.note(change)
        self.take_homes.pop(node, None)
        stored = change.stored if isinstance(change, Put) else None
        if stored is not None:
            value = decode_take_home(node, stored.value)
            self.take_homes[node] = Stored(path=stored.path, value=value, version=stored.version)

    def take_home_end(self, node: NodeId, change: Put | Gone) -> None:
        """Keep that somebody wants another end of a take-home image; its hand reads whose.

        Raises:
            CorruptRecordError: If the record cannot be read: it changes no end.
        """
        self.note(change)
        self.take_home_ends.discard(node)
        self.take_home_more.discard(node)
        stored = change.stored if isinstance(change, Put) else None
        if stored is not None:
            later = decode_end_wish(node, stored.value).wants is WantedEnd.LATER
            (self.take_home_more if later else self.take_home_ends).add(node)

    def note(self, change: Put | Dirty | Gone) -> None:
        """Note that a znode of images is there, and its version."""
        if isinstance(change, Gone):
            self.versions.pop(change.path, None)
        elif isinstance(change, Put):
            self.versions[change.path] = -1 if change.stored is None else change.stored.version

    def _put(
        self,
        kind: RecordKind[K, T],
        records: dict[K, Stored[T]],
        key: K,
        change: Put | Dirty | Gone,
    ) -> None:
        if isinstance(change, Dirty):
            return  # it is being read; until then no write that names the old version succeeds
        self.unreadable.discard(change.path)
        stored = change.stored if isinstance(change, Put) else None
        if isinstance(change, Put) and stored is None:
            self.unreadable.add(change.path)
        try:
            found = kind.read(key, stored)
        except CorruptRecordError:
            records.pop(key, None)
            self.unreadable.add(change.path)
            raise
        if found is None:
            records.pop(key, None)
        else:
            records[key] = found
