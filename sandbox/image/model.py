"""Images: what Glance knows about them, and their files."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sandbox.clock import Clock, iso
from sandbox.config import ImageConfig, Timing
from sandbox.web.errors import ApiError


class ImageState(StrEnum):
    """Glance's states, as far as images here go through them."""

    QUEUED = "queued"
    SAVING = "saving"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    KILLED = "killed"


class ImageEvent(StrEnum):
    """What moves an image on."""

    UPLOAD_STARTED = "upload started"
    UPLOADED = "uploaded"
    UPLOAD_FAILED = "upload failed"
    DEACTIVATED = "deactivated"
    REACTIVATED = "reactivated"


_S, _E = ImageState, ImageEvent
IMAGE_TABLE: Final[Mapping[ImageState, Mapping[ImageEvent, ImageState]]] = {
    _S.QUEUED: {_E.UPLOAD_STARTED: _S.SAVING, _E.UPLOAD_FAILED: _S.KILLED},
    _S.SAVING: {_E.UPLOADED: _S.ACTIVE, _E.UPLOAD_FAILED: _S.QUEUED},
    _S.ACTIVE: {_E.DEACTIVATED: _S.DEACTIVATED, _E.REACTIVATED: _S.ACTIVE},
    _S.DEACTIVATED: {_E.REACTIVATED: _S.ACTIVE, _E.DEACTIVATED: _S.DEACTIVATED},
    _S.KILLED: {},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image; times in seconds since the epoch.

    Attributes:
        file: Where its data is; empty: there is none (a configured image without a tar).
        properties: Everything that is not one of Glance's own attributes.
    """

    id: str
    name: str
    project_id: str
    created_s: float
    updated_s: float
    state: ImageState = ImageState.QUEUED
    visibility: str = "shared"
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    size: int | None = None
    checksum: str | None = None
    sha512: str | None = None
    protected: bool = False
    hidden: bool = False
    tags: tuple[str, ...] = ()
    file: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)


class ImageStore:
    """The images of one region, oldest first, with their files below *folder*."""

    def __init__(
        self, configured: Iterable[tuple[ImageConfig, str]], folder: Path, clock: Clock
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.images: dict[str, Image] = {}
        for config, project_id in configured:
            self.images[config.id] = self._configured(config, project_id)

    def _configured(self, config: ImageConfig, project_id: str) -> Image:
        created_s = config.created_at_s or self.clock.now_s()
        made_up = hashlib.md5(config.id.encode()).hexdigest()  # noqa: S324 - Glance's is MD5
        size, md5, sha512 = config.size, made_up, None
        if config.tar:
            size, md5, sha512 = digest(Path(config.tar))
        return Image(
            id=config.id,
            name=config.name,
            project_id=project_id,
            created_s=created_s,
            updated_s=created_s,
            state=ImageState.ACTIVE,
            visibility=config.visibility,
            disk_format="raw",
            container_format="bare",
            min_disk=config.min_disk,
            min_ram=config.min_ram,
            size=size,
            checksum=md5,
            sha512=sha512,
            file=config.tar,
            properties=dict(config.properties),
            timing=config.timing,
        )

    def get(self, image_id: str) -> Image:
        """Return an image.

        Raises:
            ApiError: 404, if there is none with that id.
        """
        image = self.images.get(image_id)
        if image is None:
            raise ApiError(404, f"No image found with ID {image_id}")
        return image

    def create(self, project_id: str, *, image_id: str = "", **values: Any) -> Image:
        """Add a queued image."""
        now_s = self.clock.now_s()
        image = Image(
            id=image_id or str(uuid.uuid4()),
            project_id=project_id,
            created_s=now_s,
            updated_s=now_s,
            **values,
        )
        if image.id in self.images:
            raise ApiError(409, f"Image ID {image.id} already exists!")
        self.images[image.id] = image
        return image

    def change(self, image_id: str, **values: Any) -> Image:
        """Change attributes (not the state) of an image."""
        image = replace(self.get(image_id), updated_s=self.clock.now_s(), **values)
        self.images[image_id] = image
        return image

    def step(self, image_id: str, event: ImageEvent, **values: Any) -> Image:
        """Move an image on; the only way its state changes.

        Raises:
            ApiError: 409, if the image is in no state for that.
        """
        image = self.get(image_id)
        after = IMAGE_TABLE[image.state].get(event)
        if after is None:
            raise ApiError(
                409, f"Image status transition from {image.state} by {event} is not allowed"
            )
        return self.change(image_id, state=after, **values)

    def path(self, image_id: str) -> Path:
        """Return where the data of an image goes."""
        return self.folder / f"{image_id}.data"

    def drop(self, image_id: str) -> None:
        """Remove an image and its file (a configured tar stays)."""
        self.images.pop(image_id, None)
        self.path(image_id).unlink(missing_ok=True)

    def usable_by(self, image: Image, project_id: str) -> bool:
        """Say whether a project may see and boot an image."""
        return (
            image.visibility in ("public", "community")
            or image.project_id == project_id
            or (image.visibility == "shared" and project_id in image.members)
        )


def digest(path: Path) -> tuple[int, str, str]:
    """Return size, MD5 and SHA-512 of a file, as Glance shows them."""
    md5, sha512 = hashlib.md5(), hashlib.sha512()  # noqa: S324 - Glance's "checksum" is MD5
    with path.open("rb") as data:
        while chunk := data.read(2**20):
            md5.update(chunk)
            sha512.update(chunk)
    return path.stat().st_size, md5.hexdigest(), sha512.hexdigest()


def image_doc(image: Image) -> dict[str, Any]:
    """Show an image as Glance does: own attributes and properties side by side."""
    return {
        **image.properties,
        "id": image.id,
        "name": image.name,
        "status": image.state,
        "tags": list(image.tags),
        "visibility": image.visibility,
        "protected": image.protected,
        "owner": image.project_id,
        "os_hidden": image.hidden,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "size": image.size,
        "virtual_size": None,
        "checksum": image.checksum,
        "os_hash_algo": "sha512" if image.sha512 else None,
        "os_hash_value": image.sha512,
        "created_at": iso(image.created_s),
        "updated_at": iso(image.updated_s),
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
    }
