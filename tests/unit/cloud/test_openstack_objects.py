"""A Swift that lies, hangs or never ends: an error of ours, soon, and nothing is trusted."""

import hashlib
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.cloud import object_docs as docs
from remuda.cloud.account import AccountSettings
from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    DamagedError,
    NoRoomError,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.cloud.objects import ObjectOrder, require_object_name
from remuda.cloud.openstack_objects import OpenStackObjects, open_objects
from remuda.cloud.paths import join, quoted
from tests.fakes.clock import ManualClock
from tests.support.badrecords import anything
from tests.unit.cloud.conftest import Connect
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

ROOT: Final = "/swift/v1/AUTH_p1"
BOX: Final = f"{ROOT}/box"
ONE: Final = f"{BOX}/a/log.txt"
DATA: Final = b"what a job has left\n" * 100
MD5: Final = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
ORDER: Final = ObjectOrder(name="a/log.txt", bytes_max=10_000)
MINE: Final = {"X-Container-Meta-Remuda": "remuda"}


@pytest.fixture
def objects(api: ScriptedApi, connect: Connect, clock: ManualClock) -> OpenStackObjects:
    """An object store that talks to the scripted server, with all the time in the world."""
    return _store(api, connect, clock, answer_s=30.0, stall_s=30.0)


@pytest.fixture
def hasty(api: ScriptedApi, connect: Connect, clock: ManualClock) -> OpenStackObjects:
    """One for servers that never answer."""
    return _store(api, connect, clock, answer_s=2.0, stall_s=0.5)


def _store(
    api: ScriptedApi, connect: Connect, clock: ManualClock, *, answer_s: float, stall_s: float
) -> OpenStackObjects:
    api.catalog_paths["object-store"] = ROOT
    cloud = connect(api_timeout_s=answer_s)
    return OpenStackObjects(
        cloud._wire, cloud._account, clock=clock, stall_s=stall_s, segment_bytes=50_000, page_size=2
    )


def _head(**more: str) -> Reply:
    return Reply(body=b"", headers={"Content-Length": str(len(DATA)), "Etag": MD5, **more})


def _read(objects: OpenStackObjects) -> bytes:
    with objects.read("box", "a/log.txt", bytes_max=10_000) as (_, pieces):
        return b"".join(pieces)


# What it says it got


@pytest.mark.parametrize(
    "etag", [{}, {"Etag": "0" * 32}, {"Etag": "x" * 100_00}, {"Etag": '"W/"'}, {"Etag": MD5[:-1]}]
)
def test_wrong_etag_is_damage_and_nothing_stays(
    api: ScriptedApi, objects: OpenStackObjects, etag: dict[str, str]
) -> None:
    """What bears our ticket is deleted; of another's object nothing is touched."""
    api.on("PUT", ONE, Reply(status=201, body=b"", headers=etag))

    with pytest.raises(DamagedError):
        objects.put("box", ORDER, [DATA])
    assert api.paths() == [f"PUT {ONE}", f"HEAD {ONE}"]


def test_what_is_damaged_is_deleted_by_its_ticket(
    api: ScriptedApi, objects: OpenStackObjects
) -> None:
    """A server that echoes the ticket has what we sent, or what it made of it."""
    seen = api.seen

    class Echo(dict[str, str]):
        def items(self) -> Any:
            return {"X-Object-Meta-Remuda-Put": seen[0].headers[docs.TICKET]}.items()

    api.on("PUT", ONE, Reply(status=201, body=b"", headers={"Etag": "0" * 32}))
    api.on("HEAD", ONE, Reply(body=b"", headers=Echo()))
    api.on("DELETE", ONE, Reply(status=204))

    with pytest.raises(DamagedError):
        objects.put("box", ORDER, [DATA])
    assert api.paths() == [f"PUT {ONE}", f"HEAD {ONE}", f"DELETE {ONE}"]


def test_object_of_another_survives_a_put_without_an_answer(
    api: ScriptedApi, objects: OpenStackObjects
) -> None:
    """It does not bear our ticket, so that it was there before."""
    api.on("PUT", ONE, Reply(manner=Manner.DROP))
    api.on("HEAD", ONE, _head(**{docs.TICKET: "another"}))

    with pytest.raises(BadOrderError, match="already"):
        objects.put("box", ORDER, [DATA])
    assert "DELETE" not in " ".join(api.paths())


def test_store_that_answers_nothing_may_have_something(
    api: ScriptedApi, objects: OpenStackObjects
) -> None:
    """That is said, with what we wanted to store."""
    api.on("PUT", ONE, Reply(manner=Manner.DROP))
    api.on("HEAD", ONE, Reply(status=500))

    with pytest.raises(UnknownOutcomeError, match="may be left"):
        objects.put("box", ORDER, [DATA])


def test_store_without_large_objects_is_damage(api: ScriptedApi, objects: OpenStackObjects) -> None:
    """It would keep the manifest as if it were the object; segments go, too."""
    large = ObjectOrder(name="a/log.txt", bytes_max=200_000)
    data = bytes(60_000)
    parts = [data[:50_000], data[50_000:]]
    api.on("PUT", ONE, Reply(status=201, body=b"", headers={"Etag": "0" * 32}))
    api.answer = _swift_without_slo(api, parts)  # type: ignore[method-assign]

    with pytest.raises((DamagedError, BadOrderError, TryLaterError)):
        objects.put("box", large, [data])
    assert sum(each.startswith(f"DELETE {BOX}/.remuda-segments/") for each in api.paths()) == 2


def _swift_without_slo(api: ScriptedApi, parts: list[bytes]) -> Any:
    usual, left = ScriptedApi.answer, iter(parts)

    def answer(seen: Any) -> Reply:
        if ".remuda-segments" not in seen.path:
            return usual(api, seen)
        api.seen.append(seen)
        if seen.method != "PUT":
            return Reply(status=204)
        etag = hashlib.md5(next(left), usedforsecurity=False).hexdigest()
        return Reply(status=201, body=b"", headers={"Etag": etag})

    return answer


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, UnauthorizedError),
        (403, BadOrderError),
        (409, TryLaterError),
        (412, BadOrderError),
        (413, NoRoomError),
        (422, DamagedError),
        (429, TryLaterError),
        (498, TryLaterError),
        (507, NoRoomError),
    ],
)
def test_refusal_is_typed(
    api: ScriptedApi, objects: OpenStackObjects, status: int, error: type[CloudError]
) -> None:
    """By what helps: less, later, other rights."""
    api.on("PUT", ONE, Reply(status=status, body=b"<html><h1>No</h1></html>"))

    with pytest.raises(error) as caught:
        objects.put("box", ORDER, [DATA])
    assert type(caught.value) is error


# How long it takes


def test_store_that_hangs_is_given_up(api: ScriptedApi, hasty: OpenStackObjects) -> None:
    """Within the time that a transfer may be silent."""
    api.on("PUT", ONE, Reply(manner=Manner.HANG))
    api.on("HEAD", ONE, Reply(status=404))

    with pytest.raises(TryLaterError, match="nothing has been stored"):
        hasty.put("box", ORDER, [DATA])


def test_transfer_has_an_end_however_steady_it_is(
    objects: OpenStackObjects, clock: ManualClock, api: ScriptedApi
) -> None:
    """The source is asked no more."""
    api.on("HEAD", ONE, Reply(status=404))

    def slow() -> Iterator[bytes]:
        while True:
            clock.advance(1000.0)
            yield b"x"

    with pytest.raises(TryLaterError, match="too long"):
        objects.put("box", ORDER, slow())


def test_body_that_dribbles_is_given_up(api: ScriptedApi, hasty: OpenStackObjects) -> None:
    """A byte now and then is no answer."""
    api.on("GET", BOX, Reply(manner=Manner.DRIBBLE))

    with pytest.raises(TryLaterError):
        hasty.list_objects("box")


# What it gives back


@pytest.mark.parametrize(
    ("head", "body", "error"),
    [
        (_head(), DATA + b"more", DamagedError),
        (_head(), DATA[:-1], DamagedError),
        (_head(), DATA[:-1] + b"x", DamagedError),
        (Reply(body=b"", headers={"Content-Length": "9" * 19}), DATA, BadOrderError),
        (Reply(body=b"", headers={"Content-Length": "-1"}), DATA, TryLaterError),
        (Reply(body=b"", headers={"Content-Length": "\u00b2"}), DATA, TryLaterError),
    ],
)
def test_what_does_not_fit_is_no_object(
    api: ScriptedApi, objects: OpenStackObjects, head: Reply, body: bytes, error: type[CloudError]
) -> None:
    """More, less, other bytes, or a size that is none."""
    api.on("HEAD", ONE, head)
    api.on("GET", ONE, Reply(body=body))

    with pytest.raises(error):
        _read(objects)


def test_what_is_compressed_stays_so(api: ScriptedApi, objects: OpenStackObjects) -> None:
    """A small body that unpacks to gigabytes is a small body."""
    api.on("HEAD", ONE, _head(**{"Content-Encoding": "gzip"}))
    api.on("GET", ONE, Reply(body=DATA, headers={"Content-Encoding": "gzip"}))

    assert _read(objects) == DATA


@pytest.mark.parametrize(
    "rows",
    [
        [{"name": "a"}, {"name": "a"}],  # the marker does not move
        [{"name": "b"}, {"name": "a"}],
        [{"name": 7}],
        [7],
        {"rows": "none"},
        [{"name": "a", "bytes": -1}],
        [{"name": "\ud800"}],
    ],
)
def test_listing_that_is_none_is_an_error(
    api: ScriptedApi, objects: OpenStackObjects, rows: object
) -> None:
    """And an endless one ends."""
    api.on("GET", BOX, Reply(body=rows))

    with pytest.raises(TryLaterError):
        objects.list_objects("box")


def test_who_may_read_is_read_back(api: ScriptedApi, objects: OpenStackObjects) -> None:
    """What a store did not change is not taken for private."""
    api.on("HEAD", BOX, Reply(body=b"", headers={**MINE, "X-Container-Read": ".r:*,.rlistings"}))
    api.on("POST", BOX, Reply(status=204))

    with pytest.raises(TryLaterError, match="did not change"):
        objects.set_public("box", public=False)


def test_cloud_without_object_store_says_so(connect: Connect, clock: ManualClock) -> None:
    """It is a mistake of the configuration."""
    cloud = connect()

    with pytest.raises(CloudConfigError, match="object-store"):
        cloud.object_store().get_container("box")
    assert clock.now_s() is not None


def test_store_of_an_account_has_its_own_connections(
    api: ScriptedApi, clock: ManualClock, tmp_path: Any
) -> None:
    """They are closed with it."""
    api.catalog_paths["object-store"] = ROOT
    api.on("HEAD", BOX, Reply(body=b"", headers=MINE))
    account = AccountSettings(cloud="test", clouds_file=str(api.clouds_yaml(tmp_path)))
    store = open_objects(account, clock=clock)

    assert store.get_container("box").ours
    store.close()
    with pytest.raises(TryLaterError, match="closed"):
        store.get_container("box")


# Names and headers


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "a/../b", ".", "a/.", "a\nb", "\ud800", "é" * 513]
)
def test_name_that_means_another_thing_is_none(name: str) -> None:
    """Before anything is sent."""
    with pytest.raises(BadOrderError):
        ObjectOrder(name=name, bytes_max=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"content_type": "text/html\r\nX-Container-Read: .r:*"},
        {"content_encoding": "gzip\n"},
        {"metadata": {"a": "b\r\nc"}},
        {"metadata": {"A": "b"}},
        {"metadata": {str(each): "b" for each in range(20)}},
        {"keep_s": 0},
        {"keep_s": 10**12},
        {"size_bytes": 2},
        {"size_bytes": -1},
    ],
)
def test_order_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    """One sentence each."""
    with pytest.raises(BadOrderError):
        ObjectOrder(name="a", bytes_max=1, **wrong)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_name_is_refused_or_harmless(name: str) -> None:
    """What passes has no byte that HTTP gives a meaning."""
    try:
        require_object_name(name)
    except BadOrderError:
        return
    path = join(("box", quoted(name)))
    assert path.isascii()
    assert path.isprintable()
    assert not set(path) & set(' ?#\\"<>')


@given(st.dictionaries(st.sampled_from(["name", "bytes", "hash", "last_modified", "slo_etag",
                                        "content_type", "subdir"]), anything))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_any_row_is_an_object_or_refused(row: dict[str, Any]) -> None:
    """Nothing else comes out of it."""
    try:
        found = docs.read_row(row)
    except ValueError:
        return
    assert found is None or found.size_bytes >= 0


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("Content-Length", "Etag", "X-Timestamp", "Last-Modified", "X-Delete-At"),
                *("X-Static-Large-Object", "X-Object-Meta-A", "Content-Type"),
            ]
        ),
        st.text(max_size=40) | st.integers().map(str) | st.floats().map(str),
    )
)
@settings(max_examples=300, deadline=None)
def test_any_headers_are_an_object_or_refused(headers: dict[str, str]) -> None:
    """Nothing else comes out of them."""
    try:
        found = docs.read_object("a", headers)
    except TryLaterError:
        return
    assert found.size_bytes >= 0
    assert found.modified_s >= 0.0


def test_no_thread_is_left_behind(hasty: OpenStackObjects, api: ScriptedApi) -> None:
    """A store that hangs holds nobody."""
    api.on("HEAD", ONE, Reply(manner=Manner.HANG))
    before = threading.active_count()

    with pytest.raises(TryLaterError):
        hasty.get("box", "a/log.txt")
    assert threading.active_count() <= before + 1
