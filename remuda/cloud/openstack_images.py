"""The images of an OpenStack account; see :mod:`remuda.cloud.image_store`.

Facts, seen on Glance 33 and Nova 34: a snapshot's image is made before Nova answers, so it is in
the listing from then on; when the snapshot fails, Nova deletes it. If the server is deleted before
Nova begins, the image stays queued. Glance tells who may not do something by 403, except that
images which one may not see are 404.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from remuda.cloud import errors
from remuda.cloud.account import Account
from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    GoneError,
    InUseError,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.errors import Effect
from remuda.cloud.image_store import ImageOrder, ImageStatus, StoredImage, Visibility
from remuda.cloud.images import read_image
from remuda.cloud.transfer import OutgoingFile, receive
from remuda.cloud.wire import Wire
from remuda.model.ids import ServerId

#: For so long Glance may be silent in the middle of a transfer, or while it flushes what it got.
STALL_S: Final = 300.0

_NO_CONTENT, _NOT_FOUND, _CONFLICT = 204, 404, 409
_PAGE_SIZE: Final = "500"
_PATCH: Final = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
_DATA: Final = {"Content-Type": "application/octet-stream"}
#: "Cannot 'createImage' instance … while it is in vm_state error": no waiting helps. While it is
#: building, or in any task_state, it does.
_NO_STATE_FOR_IT: Final = re.compile(r"in vm_state (?!building)")
_STATUSES: Final[Mapping[str, ImageStatus]] = {
    **dict.fromkeys(("queued", "saving", "uploading", "importing"), ImageStatus.PENDING),
    "active": ImageStatus.ACTIVE,
    **dict.fromkeys(("killed", "deactivated", "error"), ImageStatus.DEAD),
    **dict.fromkeys(("deleted", "pending_delete"), ImageStatus.DELETING),
}


class OpenStackImages:
    """Uses the connections, the token and the rate limit of an adapter.

    Args:
        wire: The connections.
        account: Whose images.
        changed: Called when a name may mean another image than before.
        page_size: Images per page.
    """

    def __init__(
        self,
        wire: Wire,
        account: Account,
        *,
        changed: Callable[[], None],
        page_size: int | None = None,
    ) -> None:
        self._wire = wire
        self._account = account
        self._changed = changed
        self._page_size = _PAGE_SIZE if page_size is None else str(page_size)

    def project(self) -> str:
        """Return the project's id; no call once there is a token."""
        project = self._account.access().project_id
        if not project:
            raise CloudConfigError("the account names no project, so it has no images")
        return str(project)

    def list_images(self) -> tuple[StoredImage, ...]:
        """Return the project's images; one call per page."""
        query = {"owner": self.project(), "limit": self._page_size}
        docs = self._wire.pages("image", ("images",), "images", query)
        try:
            return tuple(read_stored(doc) for doc in docs)
        except (KeyError, ValueError, TypeError) as exc:
            raise TryLaterError(f"the listing of images cannot be read: {exc!r}") from exc

    def get_image(self, image_id: str) -> StoredImage:
        """Return one image; one call."""
        answer = self._wire.call("image", "GET", ("images", image_id), effect=Effect.READ)
        try:
            return read_stored(answer.doc)
        except (KeyError, ValueError, TypeError) as exc:
            raise TryLaterError(f"image {image_id} cannot be read: {exc!r}") from exc

    def snapshot(self, server: ServerId, name: str, tags: Mapping[str, str]) -> str:
        """Ask for an image of a server; one call."""
        answer = self._wire.call(
            "compute",
            "POST",
            ("servers", server, "action"),
            effect=Effect.CREATE,
            body={"createImage": {"name": name, "metadata": dict(tags)}},
            accept={_NOT_FOUND, _CONFLICT},
        )
        why = errors.message_of(answer)
        if answer.status == _NOT_FOUND:
            raise GoneError(why)
        if answer.status == _CONFLICT:
            raise BadOrderError(why) if _NO_STATE_FOR_IT.search(why) else TryLaterError(why)
        # Nova names the image in its body from 2.45 on; we speak an older version.
        image_id = answer.headers.get("Location", "").rpartition("/")[2]
        if not image_id:
            raise UnknownOutcomeError("the cloud accepted the snapshot but named no image")
        return image_id

    def upload(self, order: ImageOrder, source: Path) -> StoredImage:
        """Make an image of a file; three calls."""
        image_id = self._record(order)
        try:
            sent = self._send(image_id, source)
            image = self.get_image(image_id)
            sent.compare(image)
        except (CloudError, OSError) as exc:
            self._undo(image_id, order.name, exc)
            raise
        self._changed()
        return image

    def _record(self, order: ImageOrder) -> str:
        body = {
            **order.properties,
            "name": order.name,
            "disk_format": order.disk_format,
            "container_format": order.container_format,
            "visibility": order.visibility,
            "min_disk": order.min_disk_gib,
            "min_ram": order.min_ram_mib,
        }
        answer = self._wire.call("image", "POST", ("images",), effect=Effect.CREATE, body=body)
        if not isinstance(answer.doc.get("id"), str):
            raise UnknownOutcomeError("the cloud accepted the image but did not say its id")
        return str(answer.doc["id"])

    def _send(self, image_id: str, source: Path) -> OutgoingFile:
        opened: list[OutgoingFile] = []

        def data() -> OutgoingFile:
            opened.append(OutgoingFile(source))
            return opened[-1]

        self._wire.call(
            "image",
            "PUT",
            ("images", image_id, "file"),
            effect=Effect.CREATE,
            data=data,
            headers=_DATA,
            timeout_s=STALL_S,
        )
        return opened[-1]

    def _undo(self, image_id: str, name: str, why: Exception) -> None:
        """Delete what a broken upload has left, so that what it raised is all that happened."""
        try:
            self.delete_image(image_id)
        except CloudError as exc:
            raise UnknownOutcomeError(
                f"image {name!r} ({image_id}) may be left, for it could not be deleted ({exc})"
                f" after: {why}"
            ) from why
        if isinstance(why, UnknownOutcomeError):
            raise TryLaterError(f"{why}; the image was deleted") from why

    def download(self, image_id: str, target: Path) -> StoredImage:
        """Write an image's data to a file; two calls."""
        image = self.get_image(image_id)
        if image.status is not ImageStatus.ACTIVE:
            raise BadOrderError(f"image {image.name!r} ({image_id}) is {image.status}")
        path = ("images", image_id, "file")
        with self._wire.stream("image", path, timeout_s=STALL_S) as (status, pieces):
            if status == _NO_CONTENT:
                raise BadOrderError(f"image {image.name!r} ({image_id}) has no data")
            receive(pieces, image, target)
        return image

    def delete_image(self, image_id: str) -> None:
        """Delete an image; one call."""
        answer = self._wire.call(
            "image",
            "DELETE",
            ("images", image_id),
            effect=Effect.REPEATABLE,
            accept={_NOT_FOUND, _CONFLICT},
        )
        self._changed()
        if answer.status == _CONFLICT:
            raise InUseError(errors.message_of(answer))

    def set_visibility(self, image_id: str, visibility: Visibility) -> None:
        """Say who may see it; one call."""
        self._wire.call(
            "image",
            "PATCH",
            ("images", image_id),
            effect=Effect.REPEATABLE,
            headers=_PATCH,
            body=[{"op": "replace", "path": "/visibility", "value": str(visibility)}],
        )

    def share(self, image_id: str, project: str) -> None:
        """Offer it to a project; one call."""
        self._wire.call(
            "image",
            "POST",
            ("images", image_id, "members"),
            effect=Effect.REPEATABLE,
            body={"member": project},
            accept={_CONFLICT},  # offered before
        )

    def accept(self, image_id: str) -> None:
        """Take what was shared with us; one call."""
        self._wire.call(
            "image",
            "PUT",
            ("images", image_id, "members", self.project()),
            effect=Effect.REPEATABLE,
            body={"status": "accepted"},
        )
        self._changed()


def read_stored(doc: Mapping[str, Any]) -> StoredImage:
    """Return one image as Glance v2 writes it.

    Raises:
        KeyError, ValueError, TypeError: If this is no image.
    """
    image = read_image(doc)
    size, visibility = doc.get("size"), doc.get("visibility")
    return StoredImage(
        id=image.id,
        name=image.name,
        created_s=image.created_s,
        properties=image.properties,
        status=_STATUSES.get(str(doc["status"]), ImageStatus.UNKNOWN),
        size_bytes=None if size is None else int(size),
        md5=doc.get("checksum"),
        hash_algo=doc.get("os_hash_algo"),
        hash_value=doc.get("os_hash_value"),
        disk_format=doc.get("disk_format"),
        container_format=doc.get("container_format"),
        min_disk_gib=int(doc.get("min_disk") or 0),
        min_ram_mib=int(doc.get("min_ram") or 0),
        visibility=Visibility(visibility) if visibility in set(Visibility) else None,
        owner=doc.get("owner"),
    )
