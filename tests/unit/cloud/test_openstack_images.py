"""What the image store makes of answers that no well-behaved cloud gives on demand."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    DamagedError,
    GoneError,
    ImageWanted,
    InUseError,
    NoRoomError,
    TryLaterError,
    UnknownOutcomeError,
)
from remuda.cloud.image_store import ImageOrder, ImageStatus, Visibility
from remuda.cloud.openstack import OpenStackCloud
from remuda.cloud.openstack_images import OpenStackImages
from remuda.model.ids import ServerId
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

IMAGES = "/image/v2/images"
ONE, FILE, MEMBERS = f"{IMAGES}/i1", f"{IMAGES}/i1/file", f"{IMAGES}/i1/members"
ACTION = "/compute/v2.1/servers/s1/action"
SERVER = ServerId("s1")
DATA = bytes(range(256)) * 300
DOC: dict[str, Any] = {
    "id": "i1",
    "name": "a",
    "status": "active",
    "size": len(DATA),
    "checksum": hashlib.md5(DATA, usedforsecurity=False).hexdigest(),
    "os_hash_algo": "sha512",
    "os_hash_value": hashlib.sha512(DATA).hexdigest(),
    "visibility": "private",
    "owner": "p1",
    "disk_format": "qcow2",
    "container_format": "bare",
    "min_disk": 1,
    "min_ram": 64,
    "created_at": "2026-01-01T00:00:00Z",
    "os_distro": "debian",
}
ORDER = ImageOrder(name="a", disk_format="qcow2", properties={"k": "v", "name": "not this"})


@pytest.fixture
def images(cloud: OpenStackCloud) -> OpenStackImages:
    """An image store that talks to the scripted server."""
    return cloud.image_store()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to upload."""
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


def refusal(status: int, text: str = "no") -> Reply:
    """Return an answer as Glance gives it."""
    return Reply(status=status, body={"message": text, "code": str(status), "title": "No"})


def test_image_is_read_whole(api: ScriptedApi, images: OpenStackImages) -> None:
    """Every field of the contract."""
    api.on("GET", ONE, Reply(body=DOC))

    image = images.get_image("i1")

    assert (image.id, image.name, image.owner) == ("i1", "a", "p1")
    assert (image.status, image.visibility) == (ImageStatus.ACTIVE, Visibility.PRIVATE)
    assert (image.size_bytes, image.md5) == (len(DATA), DOC["checksum"])
    assert (image.hash_algo, image.hash_value) == ("sha512", DOC["os_hash_value"])
    assert (image.disk_format, image.container_format) == ("qcow2", "bare")
    assert (image.min_disk_gib, image.min_ram_mib) == (1, 64)
    assert image.created_s == 1767225600.0
    assert image.properties["os_distro"] == "debian"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *((word, ImageStatus.PENDING) for word in ("queued", "saving", "uploading", "importing")),
        *((word, ImageStatus.DEAD) for word in ("killed", "error")),
        ("deactivated", ImageStatus.DEACTIVATED),
        *((word, ImageStatus.DELETING) for word in ("deleted", "pending_delete")),
        ("levitating", ImageStatus.UNKNOWN),
    ],
)
def test_statuses_are_reduced_to_reactions(
    api: ScriptedApi, images: OpenStackImages, word: str, status: ImageStatus
) -> None:
    """A new release's word must not look like a dead image; young images lack most fields."""
    doc = {"id": "i1", "status": word, "visibility": word, "size": None, "min_disk": None}
    api.on("GET", IMAGES, Reply(body={"images": [doc]}))

    (image,) = images.list_images()

    assert image.status is status
    assert (image.visibility, image.size_bytes, image.min_disk_gib) == (None, None, 0)


@pytest.mark.parametrize("body", [{}, {"images": [{"id": "i1"}]}, {"images": [{"id": 1}]}])
def test_listing_that_cannot_be_read_is_for_later(
    api: ScriptedApi, images: OpenStackImages, body: object
) -> None:
    """Never an empty one."""
    api.on("GET", IMAGES, Reply(body=body))

    with pytest.raises(TryLaterError):
        images.list_images()


def test_listing_asks_for_our_own(api: ScriptedApi, images: OpenStackImages) -> None:
    """Public clouds have thousands of others."""
    api.on("GET", IMAGES, Reply(body={"images": []}))

    images.list_images()

    assert api.seen[-1].query["owner"] == ["p1"]


def test_snapshot_is_named_by_where_it_will_be(api: ScriptedApi, images: OpenStackImages) -> None:
    """The version of Nova's API that we speak has no other way."""
    where = "http://glance.example.org//images/i1"
    api.on("POST", ACTION, Reply(status=202, headers={"Location": where}, body=""))

    assert images.snapshot(SERVER, "a", {"k": "v"}) == "i1"
    assert api.seen[-1].body == {"createImage": {"name": "a", "metadata": {"k": "v"}}}


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(status=202, body=""), UnknownOutcomeError),
        (Reply(status=500), UnknownOutcomeError),
        (Reply(manner=Manner.DROP), UnknownOutcomeError),
        (refusal(404), GoneError),
        (refusal(409, "Cannot … while it is in task_state image_uploading"), TryLaterError),
        (refusal(409, "Cannot … while it is in vm_state building"), TryLaterError),
        (refusal(409, "Cannot … while it is in vm_state error"), BadOrderError),
        (refusal(409, "Failed to quiesce instance: agent is not there"), BadOrderError),
        (refusal(409, "Instance s1 is locked"), BadOrderError),
        (refusal(403, "Image quota exceeded"), NoRoomError),
        (refusal(403, "Policy doesn't allow createImage"), BadOrderError),
        (refusal(429), TryLaterError),
    ],
)
def test_snapshot_says_whether_an_image_may_come(
    api: ScriptedApi, images: OpenStackImages, reply: Reply, error: type[CloudError]
) -> None:
    """One call, never repeated."""
    api.on("POST", ACTION, reply)

    with pytest.raises(error):
        images.snapshot(SERVER, "a", {})

    assert len(api.seen) == 1


def test_upload_sends_order_and_data(
    api: ScriptedApi, images: OpenStackImages, source: Path
) -> None:
    """Three calls; a property never stands for one of Glance's own fields."""
    api.on("POST", IMAGES, Reply(status=201, body=DOC))
    api.on("PUT", FILE, Reply(status=204))
    api.on("GET", ONE, Reply(body=DOC))

    image = images.upload(ORDER, source)

    made, sent, _ = api.seen
    assert image.id == "i1"
    assert api.paths() == [f"POST {IMAGES}", f"PUT {FILE}", f"GET {ONE}"]
    assert made.body == {
        "k": "v",
        "name": "a",
        "disk_format": "qcow2",
        "container_format": "bare",
        "visibility": "private",
        "min_disk": 0,
        "min_ram": 0,
    }
    assert sent.body == DATA
    assert sent.headers["Content-Type"] == "application/octet-stream"
    assert sent.headers["Content-Length"] == str(len(DATA))


def test_upload_with_a_refused_token_sends_all_again(
    api: ScriptedApi, images: OpenStackImages, source: Path
) -> None:
    """From the first byte, which was sent before."""
    api.on("POST", IMAGES, Reply(status=201, body=DOC))
    api.on("PUT", FILE, Reply(status=401), Reply(status=204))
    api.on("GET", ONE, Reply(body=DOC))

    images.upload(ORDER, source)

    assert [each.body for each in api.seen if each.method == "PUT"] == [DATA, DATA]


@pytest.mark.parametrize(
    ("put", "get", "error"),
    [
        (Reply(status=500), Reply(body=DOC), TryLaterError),
        (Reply(manner=Manner.DROP), Reply(body=DOC), TryLaterError),
        (refusal(413, "too large"), Reply(body=DOC), NoRoomError),
        (refusal(400, "bad"), Reply(body=DOC), BadOrderError),
        (Reply(status=204), Reply(body={**DOC, "size": 3}), DamagedError),
        (Reply(status=204), Reply(body={**DOC, "checksum": "0"}), DamagedError),
        (Reply(status=204), Reply(status=404), GoneError),
        (Reply(status=204), Reply(status=503), TryLaterError),
        (Reply(status=204), Reply(body={}), TryLaterError),
    ],
)
def test_broken_upload_is_deleted(
    api: ScriptedApi,
    images: OpenStackImages,
    source: Path,
    *,
    put: Reply,
    get: Reply,
    error: type[CloudError],
) -> None:
    """Whatever broke it; nothing about it is unknown then."""
    api.on("POST", IMAGES, Reply(status=201, body=DOC))
    api.on("PUT", FILE, put)
    api.on("GET", ONE, get)
    api.on("DELETE", ONE, Reply(status=204))

    with pytest.raises(error):
        images.upload(ORDER, source)

    assert api.paths()[-1] == f"DELETE {ONE}"


def test_upload_that_cannot_be_deleted_says_what_is_left(
    api: ScriptedApi, images: OpenStackImages, source: Path
) -> None:
    """Name, id, and both reasons."""
    api.on("POST", IMAGES, Reply(status=201, body=DOC))
    api.on("PUT", FILE, refusal(413, "too large"))
    api.on("DELETE", ONE, refusal(503, "on holiday"))

    with pytest.raises(UnknownOutcomeError, match=r"'a' \(i1\).*on holiday.*too large"):
        images.upload(ORDER, source)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(manner=Manner.DROP), UnknownOutcomeError),
        (Reply(status=201, body={}), UnknownOutcomeError),
        (refusal(403, "publicize_image"), BadOrderError),
        (refusal(413, "over the quota of images"), NoRoomError),
    ],
)
def test_upload_that_does_not_begin_sends_no_data(
    api: ScriptedApi, images: OpenStackImages, source: Path, reply: Reply, error: type[CloudError]
) -> None:
    """An image without data may be left; the listing knows."""
    api.on("POST", IMAGES, reply)

    with pytest.raises(error):
        images.upload(ORDER, source)

    assert api.paths() == [f"POST {IMAGES}"]


def test_download_asks_for_bytes_as_they_are(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path
) -> None:
    """Packed for the way, they would be others; two calls."""
    api.on("GET", ONE, Reply(body=DOC))
    api.on("GET", FILE, Reply(body=DATA))

    images.download("i1", tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == DATA
    assert api.seen[-1].headers["Accept-Encoding"] == "identity"
    assert len(api.seen) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(body=DATA, manner=Manner.HALF), TryLaterError),
        (Reply(status=404, body=DATA, manner=Manner.HALF), TryLaterError),
        (Reply(body=DATA[:-1]), DamagedError),
        (Reply(status=204), BadOrderError),
        (refusal(403, "deactivated"), BadOrderError),
        (refusal(404), GoneError),
        (refusal(503), TryLaterError),
        (Reply(manner=Manner.DROP), TryLaterError),
    ],
)
def test_broken_download_leaves_nothing(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path, reply: Reply, error: type[CloudError]
) -> None:
    """No file, nor a part of it."""
    api.on("GET", ONE, Reply(body=DOC))
    api.on("GET", FILE, reply)

    with pytest.raises(error):
        images.download("i1", tmp_path / "target")

    assert list(tmp_path.glob("target*")) == []


def test_download_with_a_refused_token_is_begun_again(
    api: ScriptedApi, images: OpenStackImages, tmp_path: Path
) -> None:
    """Nobody notices."""
    api.on("GET", ONE, Reply(body=DOC))
    api.on("GET", FILE, Reply(status=401), Reply(body=DATA))

    images.download("i1", tmp_path / "target")

    assert (tmp_path / "target").read_bytes() == DATA
    assert api.logins == 2


def test_deleted_image_is_found_no_more(
    api: ScriptedApi, cloud: OpenStackCloud, images: OpenStackImages
) -> None:
    """Though it was remembered."""
    api.on("GET", IMAGES, Reply(body={"images": [DOC]}), Reply(body={"images": []}))
    api.on("DELETE", ONE, Reply(status=204), Reply(status=404))
    cloud.find_image(ImageWanted(name="a"))

    images.delete_image("i1")
    images.delete_image("i1")

    with pytest.raises(BadOrderError):
        cloud.find_image(ImageWanted(name="a"))


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(409, "it is in use"), InUseError),
        (refusal(403, "it is protected"), BadOrderError),
        (refusal(500), TryLaterError),
    ],
)
def test_refused_deletion_says_why(
    api: ScriptedApi, images: OpenStackImages, reply: Reply, error: type[CloudError]
) -> None:
    """Each is another reaction."""
    api.on("DELETE", ONE, reply)
    api.on("GET", ONE, Reply(body=DOC))

    with pytest.raises(error):
        images.delete_image("i1")


@pytest.mark.parametrize("found", [refusal(404), Reply(body={**DOC, "status": "deleted"})])
def test_a_deletion_that_somebody_was_quicker_with_is_none_that_was_refused(
    api: ScriptedApi, images: OpenStackImages, found: Reply
) -> None:
    """Glance says 400 to the second of two: it cannot delete what is deleted."""
    api.on("DELETE", ONE, refusal(400, "status transition from deleted to deleted"))
    api.on("GET", ONE, found)

    images.delete_image("i1")


def test_visibility_and_members_are_asked_for_in_glances_words(
    api: ScriptedApi, images: OpenStackImages
) -> None:
    """A JSON patch; a member who is there already is no error."""
    api.on("PATCH", ONE, Reply(body=DOC))
    api.on("GET", ONE, Reply(body={**DOC, "visibility": "shared"}))
    api.on("POST", MEMBERS, Reply(body={}), refusal(409, "duplicated"))
    api.on("PUT", f"{MEMBERS}/p1", Reply(body={}))

    images.set_visibility("i1", Visibility.SHARED)
    images.share("i1", "p2")
    images.share("i1", "p2")
    images.accept("i1")

    patch, _, offer, _, accepted = api.seen
    assert patch.body == [{"op": "replace", "path": "/visibility", "value": "shared"}]
    assert patch.headers["Content-Type"] == "application/openstack-images-v2.1-json-patch"
    assert (offer.body, accepted.body) == ({"member": "p2"}, {"status": "accepted"})
