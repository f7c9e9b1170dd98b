"""Images as Glance v2 writes them, and its account of their number and size."""

from collections.abc import Mapping
from typing import Any, Final

from remuda.cloud.image_store import ImageStatus, ImageUsage, StoredImage, Visibility
from remuda.cloud.images import read_image
from remuda.cloud.servers import read_time
from remuda.model.fields import NAME_CHARS_MAX, Fields

_STATUSES: Final[Mapping[str, ImageStatus]] = {
    **dict.fromkeys(("queued", "saving", "uploading", "importing"), ImageStatus.PENDING),
    "active": ImageStatus.ACTIVE,
    "deactivated": ImageStatus.DEACTIVATED,
    **dict.fromkeys(("killed", "error"), ImageStatus.DEAD),
    **dict.fromkeys(("deleted", "pending_delete"), ImageStatus.DELETING),
}
#: What Nova writes on the image of a server whose disk is a volume; a list of JSON as text.
_MAPPING: Final = "block_device_mapping"
_NO_MAPPING: Final = frozenset({"", "[]"})
#: In the order of :class:`ImageUsage`; sizes are in MiB.
_COUNTED: Final = ("image_count_total", "image_size_total", "image_count_uploading")


def read_stored(doc: Mapping[str, Any]) -> StoredImage:
    """Return one image.

    Raises:
        KeyError, ValueError, TypeError: If this is no image.
    """
    image = read_image(doc)
    fields = Fields("image", doc)
    visibility = fields.prose("visibility")
    return StoredImage(
        id=image.id,
        name=image.name,
        created_s=image.created_s,
        properties=image.properties,
        status=_STATUSES.get(str(doc["status"]), ImageStatus.UNKNOWN),
        size_bytes=fields.maybe_count("size"),
        md5=fields.prose("checksum", NAME_CHARS_MAX),
        hash_algo=fields.prose("os_hash_algo", NAME_CHARS_MAX),
        hash_value=fields.prose("os_hash_value", NAME_CHARS_MAX),
        disk_format=fields.prose("disk_format", NAME_CHARS_MAX),
        container_format=fields.prose("container_format", NAME_CHARS_MAX),
        min_disk_gib=fields.count("min_disk", 0),
        min_ram_mib=fields.count("min_ram", 0),
        visibility=Visibility(visibility) if visibility in set(Visibility) else None,
        owner=fields.prose("owner", NAME_CHARS_MAX),
        hidden=doc.get("os_hidden") is True,
        protected=doc.get("protected") is True,
        virtual_bytes=fields.maybe_count("virtual_size"),
        updated_s=read_time(doc.get("updated_at")),
        volume_backed=image.properties.get(_MAPPING, "") not in _NO_MAPPING,
    )


def read_usage(doc: Mapping[str, Any]) -> ImageUsage | None:
    """Return the account of ``GET /v2/info/usage``; None if it is empty.

    It is where Glance leaves quota to its own configuration, which nobody outside can ask for.

    Raises:
        CorruptRecordError: If it cannot be read; it is a ValueError.
    """
    counted = {
        name: _pair(one)
        for name, one in Fields("usage of images", doc).parts("usage")
        if name in _COUNTED
    }
    if not counted:
        return None
    images, size, uploads = (counted.get(name, (0, None)) for name in _COUNTED)
    return ImageUsage(
        images_used=images[0],
        images_max=images[1],
        mib_used=size[0],
        mib_max=size[1],
        uploads_used=uploads[0],
        uploads_max=uploads[1],
    )


def _pair(fields: Fields) -> tuple[int, int | None]:
    """Return use and limit; a negative limit is none."""
    limit = fields.count("limit", -1, low=-1)
    return fields.count("usage", 0), None if limit < 0 else limit
