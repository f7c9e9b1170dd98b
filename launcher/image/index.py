"""The images of ours that this provider may boot: pointers, uploads and builds, as mirrored."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from remuda.cloud.api import Image
from remuda.cloud.sizes import ImageNeeds
from remuda.images import kinds
from remuda.images.references import upload_of
from remuda.membership.rendezvous import WEIGHT_MAX, weight
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId, number_of
from remuda.model.lastuse import LastUse
from remuda.model.launch import Launch
from remuda.model.pointer import Pointer
from remuda.model.tally import PLAIN, Tally, decode_tally
from remuda.model.upload import ENDED, WHOLE, Upload, UploadState
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Stored

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_PATH: Final = re.compile(
    re.escape(paths.IMAGES)
    + r"/(?P<image>[^/]+)"
    + r"/(?:(?P<use>use)|pointers/(?P<provider>[^/]+)(?P<tally>/tally)?"
    + r"|builds/(?P<number>[^/]+)(?:/uploads/(?P<place>[^/]+))?)"
)


@dataclass(frozen=True, slots=True)
class NoneServed:
    """Launches of an image have nothing to boot at present, and why."""

    why: str


@dataclass(slots=True)
class Images:
    """What is on record of images, as far as a launcher of one provider needs it.

    A record that cannot be read is as good as none: nothing new boots from it.

    Attributes:
        pointers: Of this provider, by image.
        tallies: What is counted here, by image, and what is counted of none; one that cannot be
            read is begun anew.
        uses: When images that are made on first use were last used; one that cannot be read is
            written anew.
        noted_s: When we last tried to write that (monotonic).
        unnoted: When those were used (wall clock) that were handed out, or of which we tried to
            write it, and nobody has.
        closed: Images whose tally we may not read, so that nothing is counted of them.
        uploads: In all places: which one is ours, the pointers and requests say.
        captures: The build that is made of a job's machine, by its node and what was asked.
    """

    provider: str
    pointers: dict[str, Stored[Pointer]] = field(default_factory=dict)
    tallies: dict[str, Stored[Tally]] = field(default_factory=dict)
    uses: dict[str, Stored[LastUse]] = field(default_factory=dict)
    noted_s: dict[str, float] = field(default_factory=dict)
    unnoted: dict[str, float] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    builds: dict[BuildId, Stored[Build]] = field(default_factory=dict)
    uploads: dict[UploadId, Stored[Upload]] = field(default_factory=dict)
    captures: dict[tuple[NodeId, str], BuildId] = field(default_factory=dict)

    def take(self, change: Put | Dirty | Gone) -> str | None:
        """Take in a change below the images' root; return the image that it may concern, if any.

        Raises:
            CorruptRecordError: If the record cannot be read: it counts as gone.
        """
        found = _PATH.fullmatch(change.path)
        if found is None or isinstance(change, Dirty):
            return None
        image, provider = found["image"], found["provider"]
        stored = change.stored if isinstance(change, Put) else None
        if provider is not None and provider != self.provider:
            return None
        if found["use"] is not None or found["tally"] is not None:
            keep = self._use if found["use"] is not None else self._tally
            keep(image, change, stored)
            return None
        if provider is not None:
            return self._pointer(image, stored)
        number = number_of(found["number"])
        if number is None:
            return None
        build_id = BuildId(image, number)
        if found["place"] is None:
            self._build(build_id, stored)
        else:
            upload_id = UploadId(build_id, found["place"])
            _put(self.uploads, upload_id, lambda: kinds.UPLOADS.read(upload_id, stored))
        return image

    def _build(self, build_id: BuildId, stored: Stored[bytes] | None) -> None:
        before = self.builds.get(build_id)
        try:
            _put(self.builds, build_id, lambda: kinds.BUILDS.read(build_id, stored))
        finally:
            after = self.builds.get(build_id)
            for one in (before, after):
                machine = None if one is None else one.value.captured
                if machine is not None:
                    key = (machine.node, machine.token)
                    self.captures.pop(key, None)
                    if one is after:
                        self.captures[key] = build_id

    def _pointer(self, image: str, stored: Stored[bytes] | None) -> str:
        key = (image, self.provider)
        _put(self.pointers, image, lambda: kinds.POINTERS.read(key, stored))
        return image

    def take_plain(self, change: Put | Dirty | Gone) -> None:
        """Take in a change of what is counted of machines that boot no image of ours.

        Raises:
            CorruptRecordError: If it cannot be read: it is begun anew.
        """
        if not isinstance(change, Dirty):
            self._tally(PLAIN, change, change.stored if isinstance(change, Put) else None)

    def _tally(self, image: str, change: Put | Gone, stored: Stored[bytes] | None) -> None:
        """Keep what is counted; nothing that is decided here follows from it."""
        (self.closed.add if isinstance(change, Put) and stored is None else self.closed.discard)(
            image
        )
        self.tallies.pop(image, None)
        if stored is None:
            return
        value = Tally(image=image, provider=self.provider)
        try:
            value = decode_tally(image, self.provider, stored.value)
        finally:
            self.tallies[image] = Stored(path=stored.path, value=value, version=stored.version)

    def _use(self, image: str, _change: Put | Gone, stored: Stored[bytes] | None) -> None:
        self.uses.pop(image, None)
        if stored is None:
            return
        value = LastUse(image=image)
        try:
            read = kinds.USES.read(image, stored)
            value = value if read is None else read.value
            self.unnoted.pop(image, None)
        finally:
            self.uses[image] = Stored(path=stored.path, value=value, version=stored.version)

    def counts(self, image: str) -> Stored[Tally] | None:
        """Return what is counted of an image here, to be written anew; None: there is none yet.

        Raises:
            KeyError: If nothing can be counted: without a pointer, or if we may not read it.
        """
        if (image != PLAIN and image not in self.pointers) or image in self.closed:
            raise KeyError(image)
        return self.tallies.get(image)

    def _pointer_of(self, image: str) -> Pointer | None:
        stored = self.pointers.get(image)
        return None if stored is None else stored.value

    def served(self, image: str, now_s: float) -> UploadId | NoneServed:
        """Return what launches of an image are to boot now, or why there is nothing."""
        pointer = self._pointer_of(image)
        if pointer is None:
            return NoneServed(f"image {image} has no usable build here yet")
        number = pointer.served(now_s)
        if number is None:
            word = pointer.withdrawn[pointer.chosen(now_s)]
            return NoneServed(
                f"every usable build of image {image} was revoked, by {word.who}: {word.why}"
            )
        upload_id = UploadId(pointer.build(number), pointer.place)
        why = self.why_not(upload_id)
        return upload_id if why is None else NoneServed(why)

    def tried(self, image: str, now_s: float, who: str) -> UploadId | None:
        """Return the canary, if it falls to *who*, and can be booted; None: what is served.

        Args:
            image: Which.
            now_s: When, by the wall clock.
            who: Always given the same answer: a request, or a machine that is to be made.
        """
        found = self._canary(image, now_s)
        if found is None:
            return None
        upload_id, share = found
        return upload_id if weight(str(upload_id.build), who) < share * WEIGHT_MAX else None

    def why_not(self, upload_id: UploadId, *, candidate: bool = False) -> str | None:
        """Return why nothing new may boot from an upload, or None.

        Args:
            upload_id: Which.
            candidate: It is booted to be proven.
        """
        stored, why = self.uploads.get(upload_id), self._spoiled(upload_id.build)
        if why is not None:
            return why
        known = upload_id.build in self.builds
        if stored is None or stored.value.cloud_image is None or not known:
            return f"build {upload_id.build} is not on record here"
        state = stored.value.state
        if state is UploadState.USABLE or (candidate and state in WHOLE):
            return None
        return f"build {upload_id.build} is {state} here"

    def never_again(self, upload_id: UploadId) -> bool:
        """Whether nothing will boot from an upload any more, by what is on record of it.

        What is not on record yet, or is not whole there, may be by now: who has made it asks for a
        machine at once, and its request may be read before its record is.
        """
        stored = self.uploads.get(upload_id)
        ended = stored is not None and stored.value.state in ENDED
        return ended or self._spoiled(upload_id.build) is not None

    def elsewhere(self, upload_id: UploadId, *, candidate: bool) -> str | None:
        """Return why an upload is none that a builder can mean here, or None.

        Whoever writes a request chooses among all uploads, and the id of one in another cloud
        would name any image of this one.

        Args:
            upload_id: Which.
            candidate: It is booted to be proven: where, its record says.
        """
        if candidate:
            stored = self.uploads.get(upload_id)
            if stored is not None and stored.value.trying == self.provider:
                return None
            return f"build {upload_id.build} is not being tried here"
        pointer = self._pointer_of(upload_id.build.image)
        if pointer is not None and pointer.place == upload_id.place:
            return None
        return f"build {upload_id.build} does not lie here"

    def spoiled(self, launch: Launch) -> str | None:
        """Return why a machine that nobody uses yet is not to be handed out, or None.

        That its build has a successor is no reason; that it was revoked, or withdrawn here, is.
        """
        upload_id = upload_of(launch)
        return None if upload_id is None else self._spoiled(upload_id.build)

    def _spoiled(self, build_id: BuildId) -> str | None:
        build = self.builds.get(build_id)
        if build is not None and build.value.revoked is not None:
            word = build.value.revoked.word
            return f"build {build_id} was revoked by {word.who}: {word.why}"
        pointer = self._pointer_of(build_id.image)
        word_here = None if pointer is None else pointer.withdrawn.get(build_id.number)
        if word_here is not None:
            return f"build {build_id} was withdrawn here by {word_here.who}: {word_here.why}"
        return None

    def needs(self, image: str, now_s: float, *, candidate: bool = False) -> ImageNeeds:
        """Return what machines of an image need at present; nothing if none can be booted.

        Args:
            image: Which.
            now_s: When, by the wall clock.
            candidate: Also what those need that are tried here.
        """
        served = self.served(image, now_s)
        booted = [] if isinstance(served, NoneServed) else [served]
        if canary := self._canary(image, now_s):
            booted.append(canary[0])
        if candidate:
            booted += [
                upload_id
                for upload_id, stored in self.uploads.items()
                if upload_id.build.image == image and stored.value.trying == self.provider
            ]
        disks_gib = (self.image(upload_id).needs.disk_gib for upload_id in booted)
        return ImageNeeds(disk_gib=max(disks_gib, default=0))

    def _canary(self, image: str, now_s: float) -> tuple[UploadId, float] | None:
        """Return what is tried now, with its share of the requests, if it can be booted."""
        pointer = self._pointer_of(image)
        canary = None if pointer is None else pointer.tried(now_s)
        if pointer is None or canary is None:
            return None
        upload_id = UploadId(pointer.build(canary.number), pointer.place)
        return (upload_id, canary.share) if self.why_not(upload_id) is None else None

    def image(self, upload_id: UploadId) -> Image:
        """Return what the cloud is told to boot.

        Raises:
            KeyError: If it is not on record.
        """
        upload = self.uploads[upload_id].value
        return Image(
            id=upload.cloud_image or "",
            name=str(upload_id.build),
            min_disk_gib=upload.min_disk_gib,
            size_bytes=upload.size_bytes,
        )


def _put(records: dict[K, Stored[T]], key: K, read: Callable[[], Stored[T] | None]) -> None:
    """Replace a record at once: hands look while it is written anew.

    Raises:
        CorruptRecordError: It cannot be read, and is as good as gone.
    """
    try:
        found = read()
    except CorruptRecordError:
        records.pop(key, None)
        raise
    if found is None:
        records.pop(key, None)
    else:
        records[key] = found
