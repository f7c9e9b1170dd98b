"""Images and tokens as Glance and Keystone treat them, beyond the contract of clouds."""

import email.utils
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from openstack import exceptions
from openstack.connection import Connection

from tests.sandbox.running import Sandbox, running
from tests.sandbox.servers import SOON_S, active, gone
from tests.support.deadline import wait_for

pytestmark = pytest.mark.e2e

CONFIG: dict[str, Any] = {
    "machines": "none",
    "snapshot_seconds": 1.0,
    "clock_offset": -7200,
    "users": [
        {"name": "demo", "password": "x", "projects": ["demo"]},
        {"name": "other", "password": "x", "projects": ["other"]},
    ],
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with two projects, two hours behind."""
    with running(tmp_path_factory.mktemp("sandbox"), CONFIG) as sandbox:
        yield sandbox


@pytest.fixture
def mine(box: Sandbox) -> Connection:
    """The first project."""
    return box.connect()


@pytest.fixture
def theirs(box: Sandbox) -> Connection:
    """The second one."""
    return box.connect("sandbox-other")


def queued(cloud: Connection, **more: Any) -> Any:
    """Return an image without data."""
    return cloud.image.post(
        "/images",
        json={"name": "a", "disk_format": "raw", "container_format": "bare", **more},
    ).json()


def test_an_upload_that_breaks_off_leaves_the_image_queued(box: Sandbox, mine: Connection) -> None:
    """As Glance does; then it can be uploaded again."""
    image = queued(mine)["id"]
    where = urlsplit(box.base_url)
    with socket.create_connection((where.hostname, where.port), timeout=60.0) as half:
        head = (
            f"PUT /image/RegionOne/v2/images/{image}/file HTTP/1.1\r\nHost: x\r\n"
            f"X-Auth-Token: {mine.auth_token}\r\nContent-Type: application/octet-stream\r\n"
            "Content-Length: 1000\r\n\r\n"
        )
        half.sendall(head.encode() + b"x" * 500)
        saving = lambda: mine.image.get_image(image).status == "saving"  # noqa: E731
        wait_for(saving, SOON_S, "the upload to begin")

    wait_for(lambda: mine.image.get_image(image).status == "queued", SOON_S, "the upload to fail")
    mine.image.put(
        f"/images/{image}/file", data=b"x", headers={"Content-Type": "application/octet-stream"}
    )

    assert mine.image.get_image(image).status == "active"


@pytest.mark.parametrize(
    ("more", "headers", "status"),
    [
        ({}, {}, 415),
        ({"disk_format": None}, {"Content-Type": "application/octet-stream"}, 400),
    ],
    ids=["type", "format"],
)
def test_data_is_refused_as_by_glance(
    mine: Connection, more: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    """Nothing has changed."""
    image = queued(mine, **more)["id"]

    answer = mine.image.put(f"/images/{image}/file", data=b"x", headers=headers)

    assert answer.status_code == status
    assert mine.image.get_image(image).status == "queued"


def test_members_are_added_by_the_owner_and_accept_themselves(
    mine: Connection, theirs: Connection
) -> None:
    """Each sees of the list what concerns it."""
    image = queued(mine, visibility="shared")["id"]
    other = theirs.current_project_id
    members = f"/images/{image}/members"

    assert theirs.image.get(members).status_code == 404
    assert mine.image.post(members, json={"member": other}).ok
    assert mine.image.post(members, json={"member": other}).status_code == 409
    assert mine.image.put(f"{members}/{other}", json={"status": "accepted"}).status_code == 403
    assert theirs.image.put(f"{members}/{other}", json={"status": "odd"}).status_code == 400
    assert theirs.image.post(members, json={"member": "x"}).status_code == 403
    assert mine.image.post(members, json={"member": "third"}).ok
    pending = list(theirs.image.images(member_status="pending", visibility="shared"))
    assert theirs.image.put(f"{members}/{other}", json={"status": "accepted"}).ok

    assert [each.id for each in pending] == [image]
    assert image in {each.id for each in theirs.image.images()}
    assert len(mine.image.get(members).json()["members"]) == 2
    assert [each["status"] for each in theirs.image.get(members).json()["members"]] == ["accepted"]
    assert mine.image.delete(f"{members}/{other}").ok
    assert mine.image.delete(f"{members}/{other}").status_code == 404
    with pytest.raises(exceptions.NotFoundException):
        theirs.image.get_image(image)


def test_a_server_that_goes_before_its_snapshot_begins_leaves_it_queued(tmp_path: Path) -> None:
    """Nova forgets the image; somebody has to delete it."""
    with running(tmp_path, {**CONFIG, "snapshot_seconds": 600.0}) as slow:
        mine = slow.connect()
        server = active(mine)
        image = mine.compute.create_server_image(server, "left")

        mine.compute.delete_server(server)
        gone(mine, server)

        assert mine.image.get_image(image.id).status == "queued"


def test_a_clock_that_is_wrong_is_wrong_everywhere(box: Sandbox, mine: Connection) -> None:
    """In tokens, in what was made, in the head of every answer; it can be turned meanwhile."""
    answer = mine.compute.get("/flavors")
    before_s = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    box.control("PUT", "/clock", {"offset": 7200})
    answer = mine.compute.get("/flavors")
    after_s = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    told = box.control("GET", "/clock")
    made = datetime.fromisoformat(queued(mine)["created_at"]).timestamp()

    assert before_s - time.time() == pytest.approx(-7200, abs=60)
    assert after_s - time.time() == pytest.approx(7200, abs=60)
    assert made - time.time() == pytest.approx(7200, abs=60)
    assert told == {"offset": 7200}


def test_the_life_of_tokens_can_be_changed(box: Sandbox) -> None:
    """Of those to come; nonsense is refused in a sentence."""
    usual = box.control("GET", "/tokens")
    box.control("PUT", "/tokens", {"lifetime": 60})
    access = box.connect().session.auth.get_access(box.connect().session)
    refused = box.control("PUT", "/tokens", {"lifetime": "long"})
    box.control("PUT", "/tokens", usual)

    assert usual == {"lifetime": 3600.0}
    assert (access.expires - access.issued).total_seconds() == pytest.approx(60.0)
    assert refused["status"] == 400
    assert "lifetime" in refused["error"]
    assert box.control("PUT", "/clock", {"offset": "x"})["status"] == 400
    assert box.control("PUT", "/clock", {"ofset": 1})["status"] == 400
    for wrong in (float("inf"), float("nan"), 1e12, -(10**400)):
        assert box.control("PUT", "/clock", {"offset": wrong})["status"] == 400


def test_a_download_can_be_spoilt(box: Sandbox, mine: Connection, tmp_path: Path) -> None:
    """Cut in the middle, or of the right length with one byte changed."""
    (tmp_path / "data").write_bytes(b"x" * 1000)
    image = mine.create_image(
        "spoilt", filename=str(tmp_path / "data"), disk_format="raw", wait=True
    )
    box.fault("garble", match={"operation": "image.download"}, count=1)

    data = mine.image.get(f"/images/{image.id}/file").content

    assert len(data) == 1000
    assert data != b"x" * 1000
    assert data[1:] == b"x" * 999
