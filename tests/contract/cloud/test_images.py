"""Images: listed, carried in and out, shown to others, deleted; and what goes wrong."""

import hashlib
from pathlib import Path

import pytest

from remuda.cloud.api import (
    BadOrderError,
    Cloud,
    CloudError,
    DamagedError,
    GoneError,
    ImageWanted,
    InUseError,
    ServerStatus,
    TryLaterError,
)
from remuda.cloud.image_store import (
    ImageStatus,
    Visibility,
)
from remuda.cloud.openstack import OpenStackCloud
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import Bench, Fault
from tests.contract.cloud.image_means import ABSENT, SOURCE_BYTES, gone, neighbour, ordered, running

# The listing


def test_images_are_listed_with_two_calls(bench: Bench, source: Path) -> None:
    """However many there are, for those that are hidden need one more; the account's own only."""
    made = {bench.images.upload(ordered(bench), source).id for _ in range(3)}

    counted = bench.counted(bench.images.list_images)
    listed = bench.images.list_images()

    assert counted.calls <= 2
    assert made <= {each.id for each in listed}
    assert {each.owner for each in listed} == {bench.images.project()}


def test_every_page_of_images_is_read(bench: Bench, source: Path) -> None:
    """Five images, two per page: nothing is missing and nothing is double."""
    paged = bench.with_small_pages()
    if not isinstance(paged, OpenStackCloud):
        pytest.skip("this cloud has no pages")
    made = {bench.images.upload(ordered(bench), source).id for _ in range(5)}

    listed = [each.id for each in paged.image_store().list_images()]

    assert made <= set(listed)
    assert len(listed) == len(set(listed))


def test_broken_listing_of_images_is_for_later(bench: Bench) -> None:
    """Never an empty one."""
    bench.fault(Fault.IMAGES_BROKEN)

    with pytest.raises(TryLaterError):
        bench.images.list_images()


# Uploads and downloads


def test_what_was_uploaded_is_described_found_booted_and_downloaded(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    """Byte for byte, with all that was ordered."""
    order = ordered(bench, min_disk_gib=1, min_ram_mib=64, visibility=Visibility.SHARED)
    data = source.read_bytes()

    image = bench.images.upload(order, source)
    listed = {each.id: each for each in bench.our_images()}[image.id]
    found = bench.cloud.find_image(ImageWanted(id=image.id))
    server = bench.find(running(bench, image=found))
    told = bench.images.download(image.id, tmp_path / "target.img")

    assert image.status is ImageStatus.ACTIVE
    assert listed == image == told.image
    assert (told.size_bytes, told.sha512) == (SOURCE_BYTES, hashlib.sha512(data).hexdigest())
    assert told.verified_by == image.hash_algo
    assert order.properties.items() <= dict(image.properties).items()
    assert (image.size_bytes, image.visibility) == (SOURCE_BYTES, Visibility.SHARED)
    assert (image.disk_format, image.container_format) == ("raw", "bare")
    assert (image.min_disk_gib, image.min_ram_mib) == (1, 64)
    assert image.md5 == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert image.hash_algo is not None
    assert image.hash_value == hashlib.new(image.hash_algo, data).hexdigest()
    assert server is not None
    assert server.image_id == image.id
    assert (tmp_path / "target.img").read_bytes() == data
    assert [each.name for each in tmp_path.iterdir()] == ["target.img"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.UPLOAD_LOST_REPLY, TryLaterError),
        (Fault.UPLOAD_LOST_CALL, TryLaterError),
        (Fault.UPLOAD_GARBLED, DamagedError),
    ],
)
def test_broken_upload_leaves_nothing_behind(
    bench: Bench, source: Path, fault: Fault, error: type[CloudError]
) -> None:
    """No image without data, none with wrong data."""
    bench.fault(fault)

    with pytest.raises(error):
        bench.images.upload(ordered(bench), source)

    assert bench.our_images() == []


@pytest.mark.parametrize(
    "changes",
    [{"visibility": Visibility.PUBLIC}, {"disk_format": "floppy"}],
    ids=["visibility", "format"],
)
def test_upload_that_the_cloud_refuses_is_a_bad_order(
    bench: Bench, source: Path, changes: dict[str, object]
) -> None:
    """Nothing is made."""
    with pytest.raises(BadOrderError):
        bench.images.upload(ordered(bench, **changes), source)

    assert bench.our_images() == []


def test_upload_of_a_file_that_is_missing_leaves_nothing_behind(
    bench: Bench, tmp_path: Path
) -> None:
    """It is our own trouble."""
    with pytest.raises(FileNotFoundError):
        bench.images.upload(ordered(bench), tmp_path / "missing")

    assert bench.our_images() == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.DOWNLOAD_CUT, TryLaterError), (Fault.DOWNLOAD_GARBLED, DamagedError)],
)
def test_broken_download_leaves_no_file(
    bench: Bench, source: Path, tmp_path: Path, fault: Fault, error: type[CloudError]
) -> None:
    """Neither a part of it nor a wrong one; the next attempt is whole."""
    image = bench.images.upload(ordered(bench), source)
    bench.fault(fault)

    with pytest.raises(error):
        bench.images.download(image.id, tmp_path / "target.img")
    left = list(tmp_path.iterdir())
    bench.images.download(image.id, tmp_path / "target.img")

    assert left == []
    assert (tmp_path / "target.img").read_bytes() == source.read_bytes()


def test_download_of_what_has_no_data_is_refused(bench: Bench, tmp_path: Path) -> None:
    """It is not there yet, or not at all."""
    bench.fault(Fault.SNAPSHOT_HANGS)
    pending = bench.images.snapshot(running(bench), *bench.image_name_and_tags())

    with pytest.raises(BadOrderError):
        bench.images.download(pending, tmp_path / "target.img")
    with pytest.raises(GoneError):
        bench.images.download(ABSENT, tmp_path / "target.img")

    assert list(tmp_path.iterdir()) == []


# Deleting


def test_delete_of_an_image_is_repeated_without_harm(bench: Bench, source: Path) -> None:
    """When it is gone, and if it never was; nobody finds it any more."""
    image = bench.images.upload(ordered(bench, properties={}), source)
    bench.cloud.find_image(ImageWanted(name=image.name))

    bench.images.delete_image(image.id)
    bench.until(lambda: gone(bench, image.id), "the image to go")
    bench.images.delete_image(image.id)
    bench.images.delete_image(ABSENT)

    with pytest.raises(BadOrderError):
        bench.cloud.find_image(ImageWanted(name=image.name))


def test_image_in_use_stays(bench: Bench, source: Path) -> None:
    """It is said in a way of its own; later it can be deleted."""
    image = bench.images.upload(ordered(bench), source)
    bench.fault(Fault.IMAGE_IN_USE)

    with pytest.raises(InUseError):
        bench.images.delete_image(image.id)
    still = bench.images.get_image(image.id)
    bench.images.delete_image(image.id)

    assert still.status is ImageStatus.ACTIVE
    bench.until(lambda: gone(bench, image.id), "the image to go")


# Who may see it


@pytest.mark.parametrize(
    "visibility", [Visibility.PRIVATE, Visibility.SHARED, Visibility.COMMUNITY]
)
def test_visibility_is_set(bench: Bench, source: Path, visibility: Visibility) -> None:
    """Twice without harm."""
    image = bench.images.upload(ordered(bench), source)

    bench.images.set_visibility(image.id, visibility)
    bench.images.set_visibility(image.id, visibility)

    assert [each.visibility for each in bench.our_images()] == [visibility]


def test_public_is_for_operators(bench: Bench, source: Path) -> None:
    """A refusal that says so; nothing has changed."""
    image = bench.images.upload(ordered(bench), source)

    with pytest.raises(BadOrderError):
        bench.images.set_visibility(image.id, Visibility.PUBLIC)
    with pytest.raises(GoneError):
        bench.images.set_visibility(ABSENT, Visibility.PRIVATE)

    assert bench.images.get_image(image.id).visibility is Visibility.PRIVATE


def test_shared_image_is_found_and_booted_by_the_other_project(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    """Once it has accepted; before, only who knows the id sees it."""
    cloud, images = neighbour(bench)
    wanted = ordered(bench, visibility=Visibility.SHARED, properties={})
    image = bench.images.upload(wanted, source)

    with pytest.raises(GoneError):
        images.get_image(image.id)
    with pytest.raises(GoneError):
        images.accept(image.id)
    bench.images.share(image.id, images.project())
    bench.images.share(image.id, images.project())
    offered = images.get_image(image.id)
    with pytest.raises(BadOrderError):
        cloud.find_image(ImageWanted(name=image.name))
    images.accept(image.id)
    images.accept(image.id)
    found = cloud.find_image(ImageWanted(name=image.name))
    images.download(image.id, tmp_path / "target.img")
    server = cloud.create_server(bench.order(image=found))
    try:
        bench.until(lambda: _is_active(cloud, server), "the neighbour's server")
    finally:
        cloud.delete_server(server)
        bench.until(lambda: _is_gone(cloud, server), "the neighbour's server to go")

    assert offered.owner == bench.images.project() != images.project()
    assert found.id == image.id
    assert (tmp_path / "target.img").read_bytes() == source.read_bytes()
    assert image.id not in {each.id for each in images.list_images()}


def test_only_shared_images_are_shared(bench: Bench, source: Path) -> None:
    """Of another visibility, or of another project, it is refused."""
    _, images = neighbour(bench)
    image = bench.images.upload(ordered(bench), source)

    with pytest.raises(BadOrderError):
        bench.images.share(image.id, images.project())
    bench.images.set_visibility(image.id, Visibility.COMMUNITY)
    with pytest.raises(BadOrderError):
        images.share(image.id, images.project())
    with pytest.raises(GoneError):
        bench.images.share(ABSENT, images.project())


def test_other_peoples_images_cannot_be_changed(bench: Bench, source: Path) -> None:
    """Not even deleted by mistake; those that one may not see are none."""
    _, images = neighbour(bench)
    image = bench.images.upload(ordered(bench, visibility=Visibility.COMMUNITY), source)

    with pytest.raises(BadOrderError):
        images.delete_image(image.id)
    with pytest.raises(BadOrderError):
        images.set_visibility(image.id, Visibility.PRIVATE)
    bench.images.set_visibility(image.id, Visibility.PRIVATE)
    images.delete_image(image.id)
    with pytest.raises(GoneError):
        images.set_visibility(image.id, Visibility.COMMUNITY)

    assert bench.images.get_image(image.id).visibility is Visibility.PRIVATE


def _is_active(cloud: Cloud, server: ServerId) -> bool:
    status = {each.id: each.status for each in cloud.list_servers()}.get(server)
    return status is ServerStatus.ACTIVE


def _is_gone(cloud: Cloud, server: ServerId) -> bool:
    return server not in {each.id for each in cloud.list_servers()}
