"""What an image inherited, and better had not.

A snapshot carries all properties of the image that its server was booted from: ids of
simplestreams, ``owner_specified.*`` (by which openstacksdk takes it for the file that its base was
made of), locks of a site, tags of other builds (nova/compute/utils.py). What Nova heeds when it
boots a server stays.
"""

from collections.abc import Collection
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
