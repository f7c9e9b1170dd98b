"""What is taken away from images of ours, and what stays."""

import pytest

from remuda.cloud.image_store import ImageStatus, StoredImage
from remuda.cloud.inherited import carried, inherited


def image(*, volume_backed: bool = False, **properties: str) -> StoredImage:
    """Return an image with these properties, and with Glance's own fields beside them."""
    own = {"id": "i1", "name": "a", "status": "active", "self": "/v2/images/i1", "owner": "p1"}
    return StoredImage(
        id="i1",
        name="a",
        status=ImageStatus.ACTIVE,
        properties={**own, **properties},
        volume_backed=volume_backed,
    )


@pytest.mark.parametrize(
    "key",
    [
        "owner_specified.openstack.md5",
        "remuda_build",
        "instance_uuid",
        "base_image_ref",
        "site_lock",
        "img_signature",
        "hw",
    ],
)
def test_what_came_from_the_base_goes(key: str) -> None:
    """Ids of others, locks of sites, tags of other builds."""
    assert inherited(image(**{key: "x"}), ours=()) == (key,)


@pytest.mark.parametrize(
    "key",
    [
        "hw_disk_bus",
        "os_distro",
        "os_hash_value",
        "trait:HW_CPU_X86_AVX",
        "vmware_ostype",
        "architecture",
        "kernel_id",
        "remuda_build",
    ],
)
def test_what_nova_heeds_and_what_is_ours_stays(key: str) -> None:
    """Else it would boot otherwise than the machine that it was made of."""
    assert inherited(image(**{key: "x"}), ours=["remuda_build"]) == ()


def test_a_volume_backed_image_is_left_alone() -> None:
    """Its properties are all that it is."""
    lone = image(volume_backed=True, block_device_mapping="[{}]", junk="x")

    assert inherited(lone, ours=()) == ()


def test_copy_gets_what_nova_heeds() -> None:
    """Nothing that means something in its source's cloud only, or that Glance writes itself."""
    heeded = {
        "hw_disk_bus": "scsi",
        "os_distro": "debian",
        "architecture": "x86_64",
        "trait:HW_CPU_X86_AVX": "required",
    }
    others = {
        "kernel_id": "k",
        "ramdisk_id": "r",
        "os_hash_algo": "sha512",
        "os_hash_value": "0",
        "os_glance_stage_host": "h",
        "os_hidden": "true",
        "owner_specified.openstack.md5": "m",
        "remuda_build": "7",
        "hw_long": "x" * 256,
    }

    assert carried(image(**heeded, **others)) == heeded


def test_copy_gets_a_bounded_number_of_properties() -> None:
    """A cloud that says more would have the other one refuse all."""
    many = {f"hw_{number:03}": "x" for number in range(500)}

    assert len(carried(image(**many))) == 64
