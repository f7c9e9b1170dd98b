"""What an image inherited, and better had not.

A snapshot carries all properties of the image that its server was booted from: ids of
simplestreams, ``owner_specified.*`` (by which openstacksdk takes it for the file that its base was
made of), locks of a site, tags of other builds (nova/compute/utils.py). What Nova heeds when it
boots a server stays.
"""

from collections.abc import Collection, Mapping
from typing import Final

from remuda.cloud.image_store import StoredImage

#: Kept, besides what the caller keeps.
_PREFIXES: Final = ("hw_", "os_", "trait:", "vmware_")
_KEYS: Final = frozenset(
    {
        "architecture",
        "hypervisor_type",
        "img_config_drive",
        "img_hide_hypervisor_id",
        "kernel_id",
        "ramdisk_id",
        "vm_mode",
    }
)
#: Of these, those that mean nothing in another cloud, or that only Glance may write.
_STAY: Final = frozenset({"kernel_id", "ramdisk_id", "os_hidden"})
_STAY_PREFIXES: Final = ("os_glance", "os_hash_")
#: Limit of Glance.
_VALUE_BYTES_MAX: Final = 255
#: More than anybody sets; Glance's own limit for all of them is 128.
_CARRIED_MAX: Final = 64
#: Of the fields that are text, those which Glance itself answers for.
_OWN_FIELDS: Final = frozenset(
    {
        "checksum",
        "container_format",
        "created_at",
        "direct_url",
        "disk_format",
        "file",
        "id",
        "locations",
        "name",
        "owner",
        "schema",
        "self",
        "status",
        "stores",
        "updated_at",
        "visibility",
    }
)


def inherited(image: StoredImage, ours: Collection[str]) -> tuple[str, ...]:
    """Return the properties to remove of an image of ours, sorted: see ``ImageEdit.removed``.

    None of a volume-backed image: its properties are all that it is.

    Args:
        image: As the cloud has it.
        ours: Names of the properties that we have put on it.
    """
    if image.volume_backed:
        return ()
    kept = _OWN_FIELDS | _KEYS | set(ours)
    return tuple(
        sorted(key for key in image.properties if key not in kept and not key.startswith(_PREFIXES))
    )


def carried(image: StoredImage) -> Mapping[str, str]:
    """Return the properties that a copy in another cloud gets: what Nova heeds at a boot."""
    some = {
        key: value
        for key, value in image.properties.items()
        if (key in _KEYS or key.startswith(_PREFIXES))
        and key not in _STAY
        and not key.startswith(_STAY_PREFIXES)
        and len(value.encode()) <= _VALUE_BYTES_MAX
    }
    return dict(sorted(some.items())[:_CARRIED_MAX])
