"""The sandbox's Swift as openstacksdk and plain HTTP use it, beyond the contract of clouds."""

import hashlib
import hmac
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
from openstack.connection import Connection

from tests.sandbox.running import Sandbox, running
from tests.support.deadline import wait_for

pytestmark = pytest.mark.e2e

SOON_S: Final = 60.0
CONFIG: Final[dict[str, Any]] = {
    "machines": "none",
    "users": [
        {"name": "demo", "password": "x", "projects": ["demo"]},
        {"name": "other", "password": "x", "projects": ["other"]},
        {"name": "guest", "password": "x", "projects": ["demo"], "roles": ["reader"]},
    ],
    "quota": {"objects_mib": 1},
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with two projects, and somebody who may only look."""
    with running(tmp_path_factory.mktemp("sandbox"), CONFIG) as sandbox:
        yield sandbox


@pytest.fixture
def swift(box: Sandbox) -> Iterator[Any]:
    """The first project's object store, with a container, emptied afterwards."""
    cloud: Connection = box.connect()
    cloud.object_store.create_container("c")
    yield cloud.object_store
    for each in list(cloud.object_store.objects("c")):
        cloud.object_store.delete_object(each, container="c")
    cloud.object_store.delete_container("c")


def _url(swift: Any, path: str) -> str:
    return f"{swift.get_endpoint()}/{path}"


def _sign(url: str, key: str, ends: int, digest: Callable[..., Any]) -> str:
    path = urlsplit(url).path
    text = f"GET\n{ends}\n{path[path.index('/v1/') :]}"
    signature = hmac.new(key.encode(), text.encode(), digest).hexdigest()
    return f"{url}?temp_url_sig={signature}&temp_url_expires={ends}"


def test_sdk_stores_lists_and_deletes(swift: Any) -> None:
    """Its catalogue has the account, and its proxy understands all answers."""
    swift.upload_object(container="c", name="a/b.txt", data=b"hello")

    assert [each.name for each in swift.objects("c")] == ["a/b.txt"]
    assert swift.download_object("a/b.txt", container="c") == b"hello"
    assert [each.name for each in swift.containers()] == ["c"]
    swift.delete_object("a/b.txt", container="c")
    assert list(swift.objects("c")) == []


def test_object_ends_by_the_sandboxs_clock(box: Sandbox, swift: Any) -> None:
    """Nobody sees it after that, and the container can go."""
    url = _url(swift, "c/short")
    swift.put("/c/short", data=b"x", headers={"X-Delete-After": "3600"})
    assert swift.head("/c/short").headers["X-Delete-At"]

    box.control("PUT", "/clock", {"offset": 3601})
    try:
        assert swift.get("/c/short").status_code == 404
        assert list(swift.objects("c")) == []
    finally:
        box.control("PUT", "/clock", {"offset": 0})
    for wrong in ("0", "-1", "soon", "1e9"):
        answer = swift.put("/c/wrong", data=b"x", headers={"X-Delete-After": wrong})
        assert answer.status_code == 400
    assert requests.get(url, timeout=SOON_S).status_code == 401


@pytest.mark.parametrize("digest", [hashlib.sha256, hashlib.sha512])
def test_signed_url_ends(swift: Any, digest: Callable[..., Any]) -> None:
    """By a key of the account, too; a wrong one, and a method that was not signed, are refused."""
    swift.post("/", headers={"X-Account-Meta-Temp-URL-Key": "k" * 16})
    swift.put("/c/o", data=b"signed")
    url, now_s = _url(swift, "c/o"), int(time.time())
    good = _sign(url, "k" * 16, now_s + 600, digest)

    assert requests.get(good, timeout=SOON_S).content == b"signed"
    assert requests.head(good, timeout=SOON_S).status_code == 200
    assert requests.delete(good, timeout=SOON_S).status_code == 401
    for bad in (
        _sign(url, "k" * 16, now_s - 1, digest),
        _sign(url, "j" * 16, now_s + 600, digest),
        f"{url}?temp_url_sig=x&temp_url_expires={now_s + 600}",
        good.replace("temp_url_expires=", "temp_url_expires=9"),
    ):
        assert requests.get(bad, timeout=SOON_S).status_code == 401


def test_lists_of_readers_and_writers_are_heeded(box: Sandbox, swift: Any) -> None:
    """By project, by user and for everybody; roles, too."""
    other = box.connect("sandbox-other")
    theirs = {"X-Auth-Token": other.auth_token}
    url = _url(swift, "c/o")
    swift.put("/c/o", data=b"x")

    assert requests.get(url, headers=theirs, timeout=SOON_S).status_code == 403
    swift.post("/c", headers={"X-Container-Read": f"{other.current_project_id}:*"})
    assert requests.get(url, headers=theirs, timeout=SOON_S).content == b"x"
    assert requests.put(url, headers=theirs, data=b"y", timeout=SOON_S).status_code == 403
    swift.post("/c", headers={"X-Container-Write": f"*:{other.current_user_id}"})
    assert requests.put(url, headers=theirs, data=b"y", timeout=SOON_S).status_code == 201
    swift.post("/c", headers={"X-Container-Read": ".r:*"})
    assert requests.get(url, timeout=SOON_S).content == b"y"
    assert requests.get(_url(swift, "c"), timeout=SOON_S).status_code == 401
    swift.post("/c", headers={"X-Container-Read": ".r:*,.rlistings"})
    assert requests.get(_url(swift, "c"), timeout=SOON_S).text == "o\n"
    guest = {"X-Auth-Token": box.connect("sandbox-guest").auth_token}
    assert requests.put(url, headers=guest, data=b"z", timeout=SOON_S).status_code == 403


def test_quota_and_wrong_hash_are_refused(swift: Any) -> None:
    """And nothing is kept of that, nor of a body that breaks off."""
    assert swift.put("/c/big", data=bytes(2**20 + 1)).status_code == 413
    assert swift.put("/c/big", data=iter([bytes(2**20), b"x"])).status_code == 413
    assert swift.put("/c/odd", data=b"x", headers={"Etag": "0" * 32}).status_code == 422
    assert swift.put("/none/o", data=b"x").status_code == 404
    parts = urlsplit(_url(swift, "c/part"))
    token = swift.session.get_token()
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), SOON_S) as sock:
        head = f"PUT {parts.path} HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n"
        sock.sendall(f"{head}Content-Length: 100\r\n\r\npart".encode())
    wait_for(lambda: swift.get("/c/part").status_code == 404, SOON_S, "nothing to be kept")

    assert list(swift.objects("c")) == []
    assert swift.delete("/c/none").status_code == 404


def test_limits_are_told(swift: Any) -> None:
    """To whom asks, with or without a token."""
    url = swift.get_endpoint().partition("/v1/")[0] + "/info"

    told = requests.get(url, timeout=SOON_S).json()

    assert told["swift"]["max_file_size"] == 5 * 2**30
    assert "sha256" in told["tempurl"]["allowed_digests"]
