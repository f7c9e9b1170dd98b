"""Images in memory: one service that several projects share, and each project's view of it.

They go with :class:`tests.fakes.cloud.FakeCloud`: what becomes active here can be found and
booted there. Images change only as time passes on the clock.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from remuda.cloud.api import (
    BadOrderError,
    DamagedError,
    GoneError,
    Image,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.image_store import ImageOrder, ImageStatus, StoredImage, Visibility
from remuda.cloud.transfer import receive
from remuda.model.ids import ServerId
from tests.fakes.cloud import FakeCloud

_PIECE = 1000
_TAG_MAX = 255
_DISK_FORMATS = frozenset({"raw", "qcow2", "vhd", "vmdk", "vdi", "iso"})


class Snapshot(StrEnum):
    """What becomes of one snapshot."""

    OK = "ok"
    FAILS = "fails"  # the image vanishes, as Nova lets it
    HANGS = "hangs"  # it stays pending
    LOST_REPLY = "lost reply"  # it is made; the caller gets UnknownOutcomeError
    LOST_CALL = "lost call"  # nothing is made; the caller gets UnknownOutcomeError as well


class Transfer(StrEnum):
    """What becomes of one upload or download."""

    OK = "ok"
    CUT = "cut"  # the connection ends in the middle
    GARBLED = "garbled"  # one byte arrives as another


@dataclass(slots=True)
class _Kept:
    """One image as the service remembers it."""

    image: StoredImage
    ready_s: float | None  # when it is active; None: never
    data: bytes = b""
    source: ServerId | None = None  # busy until then
    vanishes: bool = False


class FakeGlance:
    """What all projects share.

    Attributes:
        snapshot_s: Until an image of a server is active.
        next_snapshots: Fates of the coming ones, in order; likewise the others.
        next_statuses: What the coming looks at one image show instead of the truth, in order.
    """

    def __init__(self) -> None:
        self.snapshot_s = 2.0
        self.next_snapshots: deque[Snapshot] = deque()
        self.next_transfers: deque[Transfer] = deque()
        self.next_statuses: deque[ImageStatus] = deque()
        self.kept: dict[str, _Kept] = {}
        self.members: dict[str, dict[str, bool]] = {}  # by image and project: accepted?
        self.numbers = 0


class FakeImages:
    """See :class:`remuda.cloud.image_store.ImageStore`; ``cloud.fail`` works for it, too.

    Attributes:
        snapshots: Names of all that were ever asked for.
    """

    def __init__(self, cloud: FakeCloud, glance: FakeGlance, *, project: str = "p1") -> None:
        self.cloud = cloud
        self.glance = glance
        self.snapshots: list[str] = []
        self._project = project
        cloud.more_images = self._bootable

    def project(self) -> str:
        """Return its id."""
        return self._project

    def list_images(self) -> tuple[StoredImage, ...]:
        """Return the project's own."""
        self._begin("list_images")
        return tuple(each.image for each in self._all() if each.image.owner == self._project)

    def get_image(self, image_id: str) -> StoredImage:
        """Return one that the project may see."""
        self._begin("get_image")
        seen, shown = self._seen(image_id).image, self.glance.next_statuses
        return replace(seen, status=shown.popleft()) if shown else seen

    def snapshot(self, server: ServerId, name: str, tags: Mapping[str, str]) -> str:
        """Make an image of a server that runs."""
        self._begin("snapshot")
        seen = self.cloud.truth().get(server)
        if seen is None:
            raise GoneError(f"fake: HTTP 404: instance {server} could not be found")
        if seen.status is ServerStatus.BUILDING or any(
            each.source == server and each.image.status is ImageStatus.PENDING
            for each in self._all()
        ):
            raise TryLaterError(f"fake: HTTP 409: instance {server} is busy", retry_after_s=1.0)
        if seen.status not in {ServerStatus.ACTIVE, ServerStatus.STOPPED}:
            raise BadOrderError(f"fake: HTTP 409: instance {server} is {seen.status}")
        if any(len(text) > _TAG_MAX for pair in tags.items() for text in pair):
            raise BadOrderError("fake: HTTP 400: metadata is too long")
        queue = self.glance.next_snapshots
        fate = queue.popleft() if queue else Snapshot.OK
        if fate is Snapshot.LOST_CALL:
            raise UnknownOutcomeError("fake: the call is lost")
        self.snapshots.append(name)
        base = self.cloud.orders[server].image
        properties = {**base.properties, "instance_uuid": server, **tags}
        made = self._make(ImageOrder(name=name, disk_format="raw", properties=properties))
        made.source = server
        made.data = f"what {server} has written".encode()
        made.vanishes = fate is Snapshot.FAILS
        if fate is not Snapshot.HANGS:
            made.ready_s = self.cloud.clock.now_s() + self.glance.snapshot_s
        if fate is Snapshot.LOST_REPLY:
            raise UnknownOutcomeError("fake: the reply is lost")
        return made.image.id

    def upload(self, order: ImageOrder, source: Path) -> StoredImage:
        """Keep the file's bytes, unless they are to be lost."""
        self._begin("upload")
        if order.visibility is Visibility.PUBLIC:
            raise BadOrderError("fake: HTTP 403: publicize_image")
        if order.disk_format not in _DISK_FORMATS:
            raise BadOrderError(f"fake: HTTP 400: {order.disk_format} is not one of …")
        data = source.read_bytes()
        fate = self._transfer()
        if fate is Transfer.CUT:
            raise TryLaterError("fake: the connection ended; the image was deleted")
        if fate is Transfer.GARBLED:
            raise DamagedError(f"fake: {source} arrived as something else")
        made = self._make(order)
        made.data, made.ready_s = data, self.cloud.clock.now_s()
        return self._seen(made.image.id).image

    def download(self, image_id: str, target: Path) -> StoredImage:
        """Write what is kept, or what is left of it on the way."""
        self._begin("download")
        kept = self._seen(image_id)
        if kept.image.status is not ImageStatus.ACTIVE:
            raise BadOrderError(f"fake: image {image_id} is {kept.image.status}")
        receive(_sent(kept.data, self._transfer()), kept.image, target)
        return kept.image

    def delete_image(self, image_id: str) -> None:
        """Forget it."""
        self._begin("delete_image")
        kept = self.glance.kept.get(image_id)
        if kept is None or not self._may_see(kept.image):
            return
        self._own(image_id)
        del self.glance.kept[image_id]

    def set_visibility(self, image_id: str, visibility: Visibility) -> None:
        """Say who may see it."""
        self._begin("set_visibility")
        kept = self._own(image_id)
        if visibility is Visibility.PUBLIC:
            raise BadOrderError("fake: HTTP 403: publicize_image")
        kept.image = replace(kept.image, visibility=visibility)

    def share(self, image_id: str, project: str) -> None:
        """Offer it."""
        self._begin("share")
        if self._own(image_id).image.visibility is not Visibility.SHARED:
            raise BadOrderError("fake: HTTP 403: only shared images have members")
        self.glance.members.setdefault(image_id, {}).setdefault(project, False)

    def accept(self, image_id: str) -> None:
        """Take it."""
        self._begin("accept")
        if self._project not in self.glance.members.get(image_id, {}):
            raise GoneError(f"fake: HTTP 404: image {image_id} not found")
        self.glance.members[image_id][self._project] = True

    # The inside.

    def _begin(self, operation: str) -> None:
        self.cloud._begin(operation)

    def _transfer(self) -> Transfer:
        queue = self.glance.next_transfers
        return queue.popleft() if queue else Transfer.OK

    def _make(self, order: ImageOrder) -> _Kept:
        self.glance.numbers += 1
        image = StoredImage(
            id=f"20000000-0000-4000-8000-{self.glance.numbers:012d}",
            name=order.name,
            created_s=self.cloud.clock.now_s(),
            properties=dict(order.properties),
            status=ImageStatus.PENDING,
            disk_format=order.disk_format,
            container_format=order.container_format,
            min_disk_gib=order.min_disk_gib,
            min_ram_mib=order.min_ram_mib,
            visibility=order.visibility,
            owner=self._project,
        )
        kept = _Kept(image=image, ready_s=None)
        self.glance.kept[image.id] = kept
        return kept

    def _all(self) -> list[_Kept]:
        """Let happen what is due, and return what there is."""
        now_s = self.cloud.clock.now_s()
        for each in list(self.glance.kept.values()):
            due = each.ready_s is not None and now_s >= each.ready_s
            if due and each.image.status is ImageStatus.PENDING:
                if each.vanishes:
                    del self.glance.kept[each.image.id]
                    continue
                each.image = replace(
                    each.image,
                    status=ImageStatus.ACTIVE,
                    size_bytes=len(each.data),
                    md5=hashlib.md5(each.data, usedforsecurity=False).hexdigest(),
                    hash_algo="sha512",
                    hash_value=hashlib.sha512(each.data).hexdigest(),
                )
        return list(self.glance.kept.values())

    def _bootable(self) -> Iterable[Image]:
        for each in self._all():
            mine = each.image.owner == self._project
            if each.image.status is ImageStatus.ACTIVE and (mine or self._accepted(each.image)):
                yield Image(
                    id=each.image.id,
                    name=each.image.name,
                    created_s=each.image.created_s,
                    properties=each.image.properties,
                )

    def _accepted(self, image: StoredImage) -> bool:
        shared = image.visibility is Visibility.SHARED
        return shared and self.glance.members.get(image.id, {}).get(self._project, False)

    def _may_see(self, image: StoredImage) -> bool:
        open_to_all = image.visibility in {Visibility.COMMUNITY, Visibility.PUBLIC}
        offered = image.visibility is Visibility.SHARED and self._project in (
            self.glance.members.get(image.id, {})
        )
        return image.owner == self._project or open_to_all or offered

    def _seen(self, image_id: str) -> _Kept:
        for each in self._all():
            if each.image.id == image_id and self._may_see(each.image):
                return each
        raise GoneError(f"fake: HTTP 404: no image found with ID {image_id}")

    def _own(self, image_id: str) -> _Kept:
        kept = self._seen(image_id)
        if kept.image.owner != self._project:
            raise BadOrderError("fake: HTTP 403: you are not authorized")
        return kept


def _sent(data: bytes, fate: Transfer) -> Iterator[bytes]:
    if fate is Transfer.GARBLED:
        data = bytes([data[0] ^ 1]) + data[1:]
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]
        if fate is Transfer.CUT:
            raise TryLaterError("fake: the answer ended too early")
