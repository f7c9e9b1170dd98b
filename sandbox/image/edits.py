"""What a client may set of an image: on creation, and by JSON patch.

Source: Image API v2, "Create image" and "Update image"
(``application/openstack-images-v2.1-json-patch``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sandbox.image.model import Image
from sandbox.web.errors import ApiError

#: Media types of a JSON patch; the older one is not spoken here.
PATCH_TYPES: Final = ("application/openstack-images-v2.1-json-patch",)
#: Glance's ``image_property_quota``.
_PROPERTIES_MAX: Final = 128
_FLAGS: Final = frozenset({"protected", "os_hidden"})
#: Glance's attribute → ours; what is missing on both sides here is a property.
_ATTRIBUTES: Final[Mapping[str, str]] = {
    "name": "name",
    "visibility": "visibility",
    "protected": "protected",
    "tags": "tags",
    "disk_format": "disk_format",
    "container_format": "container_format",
    "min_disk": "min_disk",
    "min_ram": "min_ram",
    "os_hidden": "hidden",
}
_READ_ONLY: Final = frozenset(
    {
        "id",
        "status",
        "owner",
        "created_at",
        "updated_at",
        "size",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "virtual_size",
        "file",
        "self",
        "schema",
        "direct_url",
        "locations",
    }
)
#: What an attribute may be (glance/api/v2/images.py, and the defaults of its configuration).
_CHOICES: Final[Mapping[str, tuple[str | None, ...]]] = {
    "visibility": ("community", "public", "private", "shared"),
    "disk_format": (
        *(None, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop"),
    ),
    "container_format": (None, "ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"),
}


def split_attributes(doc: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split what a client sent into our attributes and properties.

    Raises:
        ApiError: 400 or 403, for values Glance would not take.
    """
    values: dict[str, Any] = {"name": ""}
    properties: dict[str, Any] = {}
    for key, value in doc.items():
        if key in _ATTRIBUTES:
            values[_ATTRIBUTES[key]] = _checked(key, value)
        elif key not in _READ_ONLY:
            properties[key] = value
    _check_count(properties)
    return values, properties


def _key(pointer: str) -> str:
    """Return what a JSON pointer names (RFC 6901)."""
    return pointer[1:].replace("~1", "/").replace("~0", "~")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ApiError(400, f"Provided object does not match schema 'image': {key} is no string")
    return value


def _check_count(properties: Mapping[str, Any]) -> None:
    if len(properties) > _PROPERTIES_MAX:
        raise ApiError(
            413,
            "The limit has been exceeded on the number of allowed image properties."
            f" Attempted: {len(properties)}, Maximum: {_PROPERTIES_MAX}",
        )


def _checked(key: str, value: Any) -> Any:
    if key in _CHOICES and value not in _CHOICES[key]:
        raise ApiError(
            400,
            f"Provided object does not match schema 'image': {value!r} is not one"
            f" of {list(_CHOICES[key])}",
        )
    if key in _FLAGS and not isinstance(value, bool):
        raise ApiError(400, f"Provided object does not match schema 'image': {key} is no boolean")
    if key in ("min_disk", "min_ram") and isinstance(value, int) and value < 0:
        raise ApiError(400, f"Invalid value '{value}' for parameter '{key}': negative")
    if key in ("min_disk", "min_ram") and not isinstance(value, int):
        raise ApiError(
            400, f"Provided object does not match schema 'image': {key} must be an integer"
        )
    return tuple(value) if key == "tags" else value


def apply_edits(image: Image, edits: Any) -> dict[str, Any]:
    """Return the attributes of *image* that a JSON patch changes.

    Raises:
        ApiError: 400, 403, 409 or 413, as Glance.
    """
    if not isinstance(edits, list):
        raise ApiError(400, "Request body must be a JSON array of operation objects.")
    values: dict[str, Any] = {}
    properties = dict(image.properties)
    for edit in edits:
        action, key = edit.get("op"), _key(str(edit.get("path", "")))
        if action not in ("add", "replace", "remove"):
            raise ApiError(400, f"Invalid operation: `{action}`. It must be add, replace, remove.")
        if key in _READ_ONLY:
            raise ApiError(403, f"Attribute '{key}' is read-only.")
        if action in ("add", "replace"):
            if key in _ATTRIBUTES:
                values[_ATTRIBUTES[key]] = _checked(key, edit.get("value"))
            elif action == "replace" and key not in properties:
                raise ApiError(409, f"Property {key} does not exist.")
            else:
                properties[key] = _text(key, edit.get("value"))
        elif action == "remove" and key in properties:
            del properties[key]
        elif key in _ATTRIBUTES:
            raise ApiError(403, f"Property {key} may not be removed.")
        else:
            raise ApiError(409, f"Property {key} does not exist.")
    _check_count(properties)
    return {**values, "properties": properties}
