"""Images in memory: one service that several projects share, and each project's view of it.

They go with :class:`tests.fakes.cloud.FakeCloud`: what becomes active here can be found and
booted there. Images change only as time passes on the clock.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from remuda.cloud.api import (
    BadOrderError,
    DamagedError,
    Fence,
    GoneError,
    NoRoomError,
    ServerStatus,
    TryLaterError,
    UnknownOutcomeError,
    unfenced,
)
from remuda.cloud.image_store import (
    ImageEdit,
    ImageLocation,
    ImageOrder,
    ImageStatus,
    ImageUsage,
    Membership,
    Received,
    StoredImage,
    Visibility,
)
from remuda.cloud.transfer import IncomingFile, OutgoingFile
from remuda.model.ids import ServerId
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance, Kept, Snapshot, Transfer

_PIECE = 1000
_TAG_MAX = 255
#: Glance's ``image_property_quota``.
_PROPERTIES_MAX = 128
_DISK_FORMATS = frozenset({"raw", "qcow2", "vhd", "vmdk", "vdi", "iso"})


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
        cloud.task_of = self._task
        cloud.server_gone = self._server_gone

    def project(self) -> str:
        """Return its id."""
        return self._project

    def location(self) -> ImageLocation:
        """Return where the service is."""
        self._begin("location")
        return ImageLocation(
            project=self._project, region=self.glance.region, endpoint=self.glance.endpoint
        )

    def list_images(self) -> tuple[StoredImage, ...]:
        """Return the project's own."""
        self._begin("list_images")
        return tuple(self._mine())

    def get_image(self, image_id: str) -> StoredImage:
        """Return one that the project may see."""
        self._begin("get_image")
        seen, shown = self._seen(image_id).image, self.glance.next_statuses
        return replace(seen, status=shown.popleft()) if shown else seen

    def snapshot(
        self, server: ServerId, name: str, tags: Mapping[str, str], *, fence: Fence = unfenced
    ) -> str:
        """Make an image of a server that runs."""
        self._begin("snapshot", fence)
        seen = self.cloud.truth().get(server)
        if seen is None:
            raise GoneError(f"fake: HTTP 404: instance {server} could not be found")
        if seen.status is ServerStatus.BUILDING or seen.task is not None:
            raise TryLaterError(f"fake: HTTP 409: instance {server} is busy", retry_after_s=1.0)
        if seen.status not in {ServerStatus.ACTIVE, ServerStatus.STOPPED}:
            raise BadOrderError(f"fake: HTTP 409: instance {server} is {seen.status}")
        if any(len(text) > _TAG_MAX for pair in tags.items() for text in pair):
            raise BadOrderError("fake: HTTP 400: metadata is too long")
        queue = self.glance.next_snapshots
        fate = queue.popleft() if queue else Snapshot.OK
        if fate is Snapshot.LOST_CALL:
            raise UnknownOutcomeError("fake: the call is lost")
        if fate is Snapshot.QUIESCE:
            raise BadOrderError("fake: HTTP 409: Failed to quiesce instance")
        self.snapshots.append(name)
        source = self.cloud.orders[server]
        properties = {**source.image.properties, "instance_uuid": server, **tags}
        disk_gib = source.flavor.disk_gib
        made = self._make(
            ImageOrder(name=name, disk_format="raw", properties=properties, min_disk_gib=disk_gib)
        )
        made.source, made.name, made.fate = server, name, fate
        made.data = f"what {server} has written".encode()
        if fate is not Snapshot.HANGS:
            made.ready_s = self.cloud.clock.now_s() + self.glance.snapshot_s
        if fate is Snapshot.LOST_REPLY:
            raise UnknownOutcomeError("fake: the reply is lost")
        return made.image.id

    def upload(
        self,
        order: ImageOrder,
        source: Path,
        *,
        fence: Fence = unfenced,
        going: Fence = unfenced,
    ) -> StoredImage:
        """Keep the file's bytes, unless they are to be lost."""
        self._begin("upload", fence)
        if order.visibility is Visibility.PUBLIC:
            raise BadOrderError("fake: HTTP 403: publicize_image")
        if order.disk_format not in _DISK_FORMATS:
            raise BadOrderError(f"fake: HTTP 400: {order.disk_format} is not one of …")
        data = b"".join(OutgoingFile(source, going=going))
        if order.disk_format != "raw":  # it looks at what comes; nobody has sent another
            raise BadOrderError("fake: HTTP 415: not the declared format")
        fate = self._transfer()
        if fate is Transfer.CUT:
            raise TryLaterError("fake: the connection ended; the image was deleted")
        if fate is Transfer.GARBLED:
            raise DamagedError(f"fake: {source} arrived as something else")
        if order.sha512 not in {None, hashlib.sha512(data).hexdigest()}:
            raise DamagedError(f"fake: {source} should have been something else")
        made = self._make(order)
        made.data, made.ready_s = data, self.cloud.clock.now_s()
        return self._seen(made.image.id).image

    def download(
        self, image_id: str, target: Path, *, resume: bool = False, going: Fence = unfenced
    ) -> Received:
        """Write what is kept, or what is left of it on the way."""
        self._begin("download")
        kept = self._seen(image_id)
        if kept.image.status is not ImageStatus.ACTIVE:
            raise BadOrderError(f"fake: image {image_id} is {kept.image.status}")
        incoming = IncomingFile(kept.image, target, resume=resume, going=going)
        if not incoming.whole:
            start = incoming.size if self.glance.begins_anywhere else 0
            incoming.take(_sent(kept.data[start:], self._transfer()), start=start)
        return incoming.finish()

    def delete_image(self, image_id: str, *, fence: Fence = unfenced) -> None:
        """Forget it."""
        self._begin("delete_image", fence)
        kept = self.glance.kept.get(image_id)
        if kept is None or not self._may_see(kept.image):
            return
        if self._own(image_id).image.protected:
            raise BadOrderError(f"fake: HTTP 403: image {image_id} is protected")
        del self.glance.kept[image_id]

    def edit_image(self, image_id: str, edit: ImageEdit, *, fence: Fence = unfenced) -> StoredImage:
        """Change it; Nova has the last word on the name of what it uploads."""
        self._begin("edit_image", fence)
        kept = self._own(image_id)
        if edit.visibility is Visibility.PUBLIC:
            raise BadOrderError("fake: HTTP 403: publicize_image")
        if any(each is not None and each < 0 for each in (edit.min_disk_gib, edit.min_ram_mib)):
            raise BadOrderError("fake: HTTP 400: less than the minimum of 0")
        old = {k: v for k, v in kept.image.properties.items() if k not in edit.removed}
        properties = {**old, **edit.properties}
        if any(len(key) > _TAG_MAX for key in properties):
            raise BadOrderError("fake: HTTP 400: the name of a property is too long")
        if len(properties) > _PROPERTIES_MAX:
            raise BadOrderError("fake: HTTP 413: too many image properties")
        fields = ("name", "hidden", "protected", "visibility", "min_disk_gib", "min_ram_mib")
        asked = {name: getattr(edit, name) for name in fields}
        changes = {name: value for name, value in asked.items() if value is not None}
        now_s = self.cloud.clock.now_s()
        self.glance.edit(kept, now_s, properties=properties, **changes)
        return kept.image

    def deactivate(self, image_id: str) -> None:
        """Let nothing boot from it."""
        self._begin("deactivate")
        self._switch(image_id, ImageStatus.DEACTIVATED)

    def reactivate(self, image_id: str) -> None:
        """Let it be booted again."""
        self._begin("reactivate")
        self._switch(image_id, ImageStatus.ACTIVE)

    def _switch(self, image_id: str, status: ImageStatus) -> None:
        kept = self._own(image_id)
        if kept.image.status not in {ImageStatus.ACTIVE, ImageStatus.DEACTIVATED}:
            raise BadOrderError(f"fake: HTTP 403: not allowed in status {kept.image.status}")
        self.glance.edit(kept, self.cloud.clock.now_s(), status=status)

    def usage(self) -> ImageUsage | None:
        """Count them."""
        self._begin("usage")
        if self.glance.images_max is None and self.glance.mib_max is None:
            return None
        mine = self._mine()
        size = sum(each.size_bytes or 0 for each in mine)
        return ImageUsage(
            images_used=len(mine),
            images_max=self.glance.images_max,
            mib_used=size >> 20,
            mib_max=self.glance.mib_max,
        )

    def set_visibility(
        self, image_id: str, visibility: Visibility, *, fence: Fence = unfenced
    ) -> None:
        """Say who may see it."""
        self.edit_image(image_id, ImageEdit(visibility=visibility), fence=fence)

    def unshare(self, image_id: str, project: str, *, fence: Fence = unfenced) -> None:
        """Take the offer back."""
        self._begin("unshare", fence)
        kept = self.glance.kept.get(image_id)
        if kept is not None and self._may_see(kept.image):
            self._own(image_id)
            self.glance.members.get(image_id, {}).pop(project, None)

    def members(self, image_id: str) -> Mapping[str, Membership]:
        """Return them; to others only what is theirs."""
        self._begin("members")
        image = self._seen(image_id).image
        if image.visibility is not Visibility.SHARED:
            raise BadOrderError("fake: HTTP 403: only shared images have members")
        return {
            project: Membership.ACCEPTED if accepted else Membership.PENDING
            for project, accepted in self.glance.members.get(image_id, {}).items()
            if self._project in {image.owner, project}
        }

    def share(self, image_id: str, project: str, *, fence: Fence = unfenced) -> None:
        """Offer it."""
        self._begin("share", fence)
        if self._own(image_id).image.visibility is not Visibility.SHARED:
            raise BadOrderError("fake: HTTP 403: only shared images have members")
        self.glance.members.setdefault(image_id, {}).setdefault(project, False)

    def accept(self, image_id: str, *, fence: Fence = unfenced) -> None:
        """Take it."""
        self._begin("accept", fence)
        if self._project not in self.glance.members.get(image_id, {}):
            raise GoneError(f"fake: HTTP 404: image {image_id} not found")
        self.glance.members[image_id][self._project] = True

    # The inside.

    def _begin(self, operation: str, fence: Fence = unfenced) -> None:
        self.cloud._begin(operation, fence)

    def _transfer(self) -> Transfer:
        queue = self.glance.next_transfers
        return queue.popleft() if queue else Transfer.OK

    def _make(self, order: ImageOrder) -> Kept:
        most = self.glance.images_max
        if most is not None and len(self._mine()) >= most:
            raise NoRoomError("fake: HTTP 413: project is over limit for image_count_total")
        if len(order.properties) > _PROPERTIES_MAX:
            raise BadOrderError("fake: HTTP 413: too many image properties")
        return self.glance.make(order, self._project, self.cloud.clock.now_s())

    def _all(self) -> list[Kept]:
        return self.glance.all(self.cloud.clock.now_s())

    def _mine(self) -> list[StoredImage]:
        return [each.image for each in self._all() if each.image.owner == self._project]

    def _task(self, server: ServerId) -> str | None:
        """Return what Nova is doing with a server for the sake of an image."""
        for each in self._all():
            if each.source == server and each.image.status is ImageStatus.PENDING:
                return "image_uploading"
        return None

    def _server_gone(self, server: ServerId) -> None:
        """Take along what goes with a server."""
        for each in self._all():
            if each.source == server and each.fate is Snapshot.VANISHES:
                del self.glance.kept[each.image.id]

    def _bootable(self) -> Iterable[StoredImage]:
        for each in self._all():
            mine = each.image.owner == self._project
            if each.image.status is ImageStatus.ACTIVE and (mine or self._accepted(each.image)):
                yield each.image

    def _accepted(self, image: StoredImage) -> bool:
        shared = image.visibility is Visibility.SHARED
        return shared and self.glance.members.get(image.id, {}).get(self._project, False)

    def _may_see(self, image: StoredImage) -> bool:
        open_to_all = image.visibility in {Visibility.COMMUNITY, Visibility.PUBLIC}
        offered = image.visibility is Visibility.SHARED and self._project in (
            self.glance.members.get(image.id, {})
        )
        return image.owner == self._project or open_to_all or offered

    def _seen(self, image_id: str) -> Kept:
        for each in self._all():
            if each.image.id == image_id and self._may_see(each.image):
                return each
        raise GoneError(f"fake: HTTP 404: no image found with ID {image_id}")

    def _own(self, image_id: str) -> Kept:
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
