"""Images: made of servers, carried in and out, shown to others, deleted; and what goes wrong."""

import hashlib
import random
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
    UnknownOutcomeError,
)
from remuda.cloud.image_store import (
    ImageOrder,
    ImageStatus,
    ImageStore,
    StoredImage,
    Visibility,
)
from remuda.cloud.openstack import OpenStackCloud
from remuda.model import tags
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import Bench, Fault

ABSENT = "99999999-9999-4999-8999-999999999999"
#: More than one piece on every way, and no whole number of any.
_SIZE = 3_000_001


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to upload."""
    path = tmp_path_factory.mktemp("images") / "source.img"
    path.write_bytes(random.Random(1).randbytes(_SIZE))  # noqa: S311 - any bytes
    return path


def ordered(bench: Bench, **changes: object) -> ImageOrder:
    """Return an order for an image of ours."""
    name, properties = bench.image_name_and_tags()
    given: dict[str, object] = {"name": name, "disk_format": "raw", "properties": properties}
    return ImageOrder(**(given | changes))  # type: ignore[arg-type]


def running(bench: Bench, **changes: object) -> ServerId:
    """Return a server that runs."""
    return bench.active(bench.cloud.create_server(bench.order(**changes))).id


def gone(bench: Bench, image_id: str) -> bool:
    """Whether the image is neither listed nor found."""
    if image_id in {each.id for each in bench.images.list_images()}:
        return False
    with pytest.raises(GoneError):
        bench.images.get_image(image_id)
    return True


def ready(bench: Bench, image_id: str) -> StoredImage:
    """Wait until an image is active."""

    def look() -> StoredImage | None:
        found = [each for each in bench.images.list_images() if each.id == image_id]
        assert found, "the image is gone"
        return found[0] if found[0].status is ImageStatus.ACTIVE else None

    found = bench.until(look, "image active")
    assert found is not None
    return found


def neighbour(bench: Bench) -> tuple[Cloud, ImageStore]:
    """Return another project, or skip the test here."""
    other = bench.neighbour()
    if other is None:
        pytest.skip("this cloud has one project")
    return other


# Snapshots


def test_snapshot_is_listed_at_once_and_boots_when_it_is_active(bench: Bench) -> None:
    """By the tags it was made with; without waiting; with one call."""
    server = running(bench)
    name, ours = bench.image_name_and_tags()

    counted = bench.counted(lambda: bench.images.snapshot(server, name, ours))
    image_id = str(counted.value)
    born = {each.id: each for each in bench.our_images()}[image_id]
    made = ready(bench, image_id)
    found = bench.cloud.find_image(ImageWanted(name=name))
    second = bench.find(running(bench, image=made))

    assert counted.calls == 1
    assert born.status in {ImageStatus.PENDING, ImageStatus.ACTIVE}
    assert ours.items() <= dict(born.properties).items()
    assert ours.items() <= dict(made.properties).items()
    assert (made.name, made.owner) == (name, bench.images.project())
    assert made.visibility is Visibility.PRIVATE
    assert made.created_s > 0
    assert made.size_bytes is not None
    assert made.md5
    assert found.id == made.id
    assert second is not None
    assert second.image_id == made.id


def test_snapshot_of_nothing_is_of_something_gone(bench: Bench) -> None:
    """And makes nothing."""
    with pytest.raises(GoneError):
        bench.images.snapshot(ServerId(ABSENT), *bench.image_name_and_tags())

    assert bench.our_images() == []


def test_snapshot_of_a_server_that_is_not_built_yet_is_for_later(bench: Bench) -> None:
    """Once it is, it will do."""
    bench.fault(Fault.BOOT_HANGS)
    server = bench.cloud.create_server(bench.order())

    with pytest.raises(TryLaterError):
        bench.images.snapshot(server, *bench.image_name_and_tags())

    assert bench.our_images() == []


def test_snapshot_of_a_broken_server_is_a_bad_order(bench: Bench) -> None:
    """No waiting will help."""
    bench.fault(Fault.BOOT_ERROR)
    server = bench.cloud.create_server(bench.order())

    def failed() -> bool:
        seen = bench.find(server)
        return seen is not None and seen.status is ServerStatus.ERROR

    bench.until(failed, "server in error")

    with pytest.raises(BadOrderError):
        bench.images.snapshot(server, *bench.image_name_and_tags())


def test_snapshot_during_another_is_for_later(bench: Bench) -> None:
    """One at a time; a server that is deleted takes neither along as a good image."""
    bench.fault(Fault.SNAPSHOT_HANGS)
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())

    with pytest.raises(TryLaterError):
        bench.images.snapshot(server, *bench.image_name_and_tags())
    bench.cloud.delete_server(server)
    bench.until(lambda: bench.find(server) is None, "server gone")

    left = bench.our_images()
    assert {each.id for each in left} <= {image_id}
    assert {each.status for each in left} <= {ImageStatus.PENDING}
    bench.delete_images()


def test_failed_snapshot_is_gone(bench: Bench) -> None:
    """Nova deletes the image: nobody waits for ever, and the server runs on."""
    bench.fault(Fault.SNAPSHOT_FAILS)
    server = running(bench)
    image_id = bench.images.snapshot(server, *bench.image_name_and_tags())

    bench.until(lambda: gone(bench, image_id), "the image to go")
    seen = bench.find(server)

    assert seen is not None
    assert seen.status is ServerStatus.ACTIVE


@pytest.mark.parametrize(
    ("fault", "images"), [(Fault.SNAPSHOT_LOST_REPLY, 1), (Fault.SNAPSHOT_LOST_CALL, 0)]
)
def test_lost_snapshot_is_settled_by_the_listing(bench: Bench, fault: Fault, images: int) -> None:
    """By its tags: it is there, or it is not, and it was not tried again behind our back."""
    server = running(bench)
    bench.fault(fault)

    with pytest.raises(UnknownOutcomeError):
        bench.images.snapshot(server, *bench.image_name_and_tags())

    assert len(bench.our_images()) == images


def test_a_strangers_snapshot_of_our_machine_is_not_ours(bench: Bench, source: Path) -> None:
    """It inherits our keys, but not our name: nobody will delete it for us."""
    order = ordered(bench)
    image = bench.images.upload(order, source)
    server = running(bench, image=image)

    theirs = bench.images.snapshot(server, f"{order.name}-by-hand", {})
    seen = ready(bench, theirs)
    bench.images.delete_image(theirs)

    assert seen.properties[tags.IMAGE_NAME] == order.name
    assert tags.read_image(seen.name, seen.properties) is None
    assert tags.read_image(image.name, image.properties) is not None


@pytest.mark.parametrize("changes", [{"k": "v" * 256}, {"k" * 256: "v"}], ids=["value", "key"])
def test_too_long_tags_are_a_bad_order(bench: Bench, changes: dict[str, str]) -> None:
    """Nothing is made."""
    server = running(bench)
    name, ours = bench.image_name_and_tags()

    with pytest.raises(BadOrderError):
        bench.images.snapshot(server, name, {**ours, **changes})

    assert bench.our_images() == []


# The listing


def test_images_are_listed_with_one_call(bench: Bench, source: Path) -> None:
    """However many there are; only the account's own."""
    made = {bench.images.upload(ordered(bench), source).id for _ in range(3)}

    counted = bench.counted(bench.images.list_images)
    listed = bench.images.list_images()

    assert counted.calls == 1
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
    found = bench.cloud.find_image(ImageWanted(name=order.name, properties=order.properties))
    server = bench.find(running(bench, image=found))
    told = bench.images.download(image.id, tmp_path / "target.img")

    assert image.status is ImageStatus.ACTIVE
    assert listed == image == told
    assert order.properties.items() <= dict(image.properties).items()
    assert (image.size_bytes, image.visibility) == (_SIZE, Visibility.SHARED)
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
    image = bench.images.upload(ordered(bench), source)
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
    wanted = ordered(bench, visibility=Visibility.SHARED)
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
