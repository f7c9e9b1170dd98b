"""The images of an OpenStack account; see :mod:`remuda.cloud.image_store`.

Facts, seen on Glance 33 and Nova 34: a snapshot's image is made before Nova answers, so it is in
the listing from then on; when the snapshot fails, Nova deletes it. If the server is deleted before
Nova begins, the image stays queued. Glance tells who may not do something by 403, except that
images which one may not see are 404.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from remuda.cloud import errors, image_edits, image_members, servers
from remuda.cloud.account import Account
from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    Fence,
    GoneError,
    InUseError,
    TryLaterError,
    UnknownOutcomeError,
    unfenced,
)
from remuda.cloud.errors import Effect
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
from remuda.cloud.paths import is_id
from remuda.cloud.stored_images import read_stored, read_usage
from remuda.cloud.transfer import IncomingFile, OutgoingFile, transfer_s_max
from remuda.cloud.wire import Wire
from remuda.model.ids import ServerId

#: For so long Glance may be silent in the middle of a transfer, or while it flushes what it got.
STALL_S: Final = 300.0

_NO_CONTENT, _PARTIAL, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 204, 206, 403, 404, 409
_PAGE_SIZE: Final = "500"
_DATA: Final = {"Content-Type": "application/octet-stream"}


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

    def location(self) -> ImageLocation:
        """Return where the images lie; no call once there is a token."""
        return ImageLocation(
            project=self.project(),
            region=self._account.region or "",
            endpoint=self._account.endpoint("image"),
        )

    def list_images(self) -> tuple[StoredImage, ...]:
        """Return the project's images; one call per page, and those that are hidden once more."""
        # Those that are hidden last: we hide images and never show them again, so that one whose
        # state changes between the two listings is in both, and not in none.
        shown, hidden = self._listing({}), self._listing({"os_hidden": "true"})
        return tuple({each.id: each for each in (*shown, *hidden)}.values())

    def _listing(self, filters: Mapping[str, str]) -> list[StoredImage]:
        query = {"owner": self.project(), "limit": self._page_size, **filters}
        docs = self._wire.pages("image", ("images",), "images", query)
        try:
            return [read_stored(doc) for doc in docs]
        except (KeyError, ValueError, TypeError) as exc:
            raise TryLaterError(f"the listing of images cannot be read: {exc!r}") from exc

    def get_image(self, image_id: str) -> StoredImage:
        """Return one image; one call."""
        return image_edits.get_image(self._wire, image_id)

    def snapshot(
        self, server: ServerId, name: str, tags: Mapping[str, str], *, fence: Fence = unfenced
    ) -> str:
        """Ask for an image of a server; one call."""
        answer = self._wire.call(
            "compute",
            "POST",
            servers.path(server, "action"),
            effect=Effect.CREATE,
            body={"createImage": {"name": name, "metadata": dict(tags)}},
            accept={_NOT_FOUND, _CONFLICT},
            fence=fence,
        )
        why = errors.message_of(answer)
        if answer.status == _NOT_FOUND:
            raise GoneError(why)
        if answer.status == _CONFLICT:
            raise errors.of_busy_server(why)
        # Nova names the image in its body from 2.45 on; we speak an older version.
        image_id = answer.headers.get("Location", "").rpartition("/")[2]
        if not is_id(image_id):
            raise UnknownOutcomeError("the cloud accepted the snapshot but named no image")
        return image_id

    def upload(
        self,
        order: ImageOrder,
        source: Path,
        *,
        fence: Fence = unfenced,
        going: Fence = unfenced,
    ) -> StoredImage:
        """Make an image of a file; three calls."""
        image_id = self._record(order, fence)
        try:
            sent = self._send(image_id, source, going)
            image = self.get_image(image_id)
            sent.compare(image)
            sent.require(order.sha512)
        except (CloudError, OSError) as exc:
            self._undo(image_id, order.name, exc)
            raise
        self._changed()
        return image

    def _record(self, order: ImageOrder, fence: Fence) -> str:
        body = {
            **order.properties,
            "name": order.name,
            "disk_format": order.disk_format,
            "container_format": order.container_format,
            "visibility": order.visibility,
            "min_disk": order.min_disk_gib,
            "min_ram": order.min_ram_mib,
            # Clouds before 2018 would take it for a property.
            **({"os_hidden": True} if order.hidden else {}),
        }
        answer = self._wire.call(
            "image", "POST", ("images",), effect=Effect.CREATE, body=body, fence=fence
        )
        image_id = answer.doc.get("id")
        if not isinstance(image_id, str) or not is_id(image_id):
            raise UnknownOutcomeError("the cloud accepted the image but did not say its id")
        return image_id

    def _send(self, image_id: str, source: Path, going: Fence) -> OutgoingFile:
        opened: list[OutgoingFile] = []

        def data() -> OutgoingFile:
            opened.append(OutgoingFile(source, going=going))
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

    def download(
        self, image_id: str, target: Path, *, resume: bool = False, going: Fence = unfenced
    ) -> Received:
        """Write an image's data to a file; two calls, or one if all of it had come before."""
        image = self.get_image(image_id)
        if image.status is not ImageStatus.ACTIVE:
            raise BadOrderError(f"image {image.name!r} ({image_id}) is {image.status}")
        if image.volume_backed:
            raise BadOrderError(f"image {image.name!r} ({image_id}) is volume-backed: no data")
        incoming = IncomingFile(image, target, resume=resume, going=going)
        if not incoming.whole:
            self._fetch(image, incoming)
        return incoming.finish()

    def _fetch(self, image: StoredImage, incoming: IncomingFile) -> None:
        try:
            self._receive(image, incoming, first=incoming.size)
        except BadOrderError:
            if not incoming.size:
                raise
            # Some stores behind Glance cannot begin in the middle: then from the beginning.
            self._receive(image, incoming, first=0)

    def _receive(self, image: StoredImage, incoming: IncomingFile, *, first: int) -> None:
        path = ("images", image.id, "file")
        within_s = transfer_s_max(image.size_bytes or 0)
        with self._wire.stream(
            "image", path, timeout_s=STALL_S, within_s=within_s, first=first
        ) as (status, pieces):
            if status == _NO_CONTENT:
                raise BadOrderError(f"image {image.name!r} ({image.id}) has no data")
            incoming.take(pieces, start=first if status == _PARTIAL else 0)

    def delete_image(self, image_id: str, *, fence: Fence = unfenced) -> None:
        """Delete an image; one call, or two if the cloud refuses."""
        try:
            answer = self._wire.call(
                "image",
                "DELETE",
                ("images", image_id),
                effect=Effect.REPEATABLE,
                accept={_NOT_FOUND, _CONFLICT},
                fence=fence,
            )
        except BadOrderError:
            # Of two who delete it at once, Glance answers one with 400: it is deleted already.
            if self._is_there(image_id):
                raise
            return
        finally:
            self._changed()
        if answer.status == _CONFLICT:
            raise InUseError(errors.message_of(answer))

    def _is_there(self, image_id: str) -> bool:
        try:
            return self.get_image(image_id).status is not ImageStatus.DELETING
        except GoneError:
            return False

    def edit_image(self, image_id: str, edit: ImageEdit, *, fence: Fence = unfenced) -> StoredImage:
        """Change an image; two calls, or three if something is to be removed."""
        try:
            return image_edits.edit_image(self._wire, image_id, edit, fence)
        finally:
            self._changed()

    def deactivate(self, image_id: str) -> None:
        """Let nothing boot from it; one call."""
        image_edits.set_active(self._wire, image_id, active=False)
        self._changed()

    def reactivate(self, image_id: str) -> None:
        """Let it be booted again; one call."""
        image_edits.set_active(self._wire, image_id, active=True)
        self._changed()

    def usage(self) -> ImageUsage | None:
        """Return use and limits; one call."""
        answer = self._wire.call(
            "image",
            "GET",
            ("info", "usage"),
            effect=Effect.READ,
            accept={_FORBIDDEN, _NOT_FOUND},  # a cloud before 2021 has no such thing
        )
        if answer.status in {_FORBIDDEN, _NOT_FOUND}:
            return None
        try:
            return read_usage(answer.doc)
        except ValueError as exc:
            raise TryLaterError(f"the usage of images cannot be read: {exc}") from exc

    def set_visibility(
        self, image_id: str, visibility: Visibility, *, fence: Fence = unfenced
    ) -> None:
        """Say who may see it; two calls."""
        self.edit_image(image_id, ImageEdit(visibility=visibility), fence=fence)

    def share(self, image_id: str, project: str, *, fence: Fence = unfenced) -> None:
        """Offer it to a project; one call."""
        image_members.add(self._wire, image_id, project, fence)

    def unshare(self, image_id: str, project: str, *, fence: Fence = unfenced) -> None:
        """Take the offer back; one call."""
        image_members.remove(self._wire, image_id, project, fence)

    def members(self, image_id: str) -> Mapping[str, Membership]:
        """Return whom it is shared with; one call."""
        return image_members.listed(self._wire, image_id)

    def accept(self, image_id: str, *, fence: Fence = unfenced) -> None:
        """Take what was shared with us; one call."""
        image_members.accept(self._wire, image_id, self.project(), fence)
        self._changed()
