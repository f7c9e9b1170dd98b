"""A Swift that goes away while a capsule or an archive is on its way: one sentence, and no more.

A real server, which drops, hangs, or answers nonsense; what uses the store is the real thing.
"""

from typing import Final

import pytest

from launcher.capsule.hand_places import SwiftStore
from remuda.archive.objects import ObjectSink
from remuda.archive.sink import SinkError
from remuda.archive.trees import TreeFile
from remuda.archive.writer import Archive
from remuda.cloud.openstack_objects import OpenStackObjects
from remuda.runtime.clock import SystemClock
from tests.fakes.clock import ManualClock
from tests.unit.cloud.conftest import Connect
from tests.unit.cloud.scripted_api import Manner, Reply, ScriptedApi

ROOT: Final = "/swift/v1/AUTH_p1"
BOX: Final = f"{ROOT}/box"
NODE: Final = "0000000007"
#: What the store answers to an upload, and to whoever asks what is there of it.
_AWAY: Final = {
    "drops": (Reply(manner=Manner.DROP), Reply(status=404)),
    "hangs": (Reply(manner=Manner.HANG), Reply(status=404)),
    "is gone afterwards": (Reply(manner=Manner.DROP), Reply(manner=Manner.DROP)),
    "goes away in mid-upload": (Reply(), Reply(manner=Manner.DROP)),
    "fails": (Reply(status=503, body=b"<html>" + b"x" * 10_000), Reply(status=503)),
    "lies": (Reply(status=201, body=b"", headers={"Etag": "0" * 32}), Reply(status=404)),
    "has no room": (Reply(status=507), Reply(status=404)),
    "dribbles": (Reply(manner=Manner.DRIBBLE), Reply(status=404)),
}


#: More than fits on the way.
_DATA: Final = b"0123456789abcdef" * (1 << 19)


@pytest.fixture
def objects(api: ScriptedApi, connect: Connect, clock: ManualClock) -> OpenStackObjects:
    """An object store that talks to the scripted server, and has its container."""
    api.catalog_paths["object-store"] = ROOT
    there = {"X-Container-Meta-Remuda": "remuda", "X-Container-Object-Count": "0"}
    api.on("HEAD", BOX, Reply(status=204, body=b"", headers=there))
    api.on("PUT", BOX, Reply(status=202, body=b"", headers=there))
    cloud = connect(api_timeout_s=2.0)
    return OpenStackObjects(cloud._wire, cloud._account, clock=clock, stall_s=0.3)


def script(api: ScriptedApi, name: str, how: str) -> None:
    """Let the store behave so for an object."""
    put, head = _AWAY[how]
    if "mid" in how:
        api.deaf.add(f"{BOX}/{name}")
    api.on("PUT", f"{BOX}/{name}", put)
    api.on("HEAD", f"{BOX}/{name}", head)


def one_sentence(text: str) -> bool:
    """Whether people can read it: one line, bounded."""
    return bool(text) and "\n" not in text and len(text) <= 400


@pytest.mark.parametrize("how", _AWAY)
def test_a_capsule_is_not_stored_and_that_is_said(
    api: ScriptedApi,
    objects: OpenStackObjects,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """The hand comes back with a reason, whatever the store does."""
    monkeypatch.setattr("secrets.token_hex", lambda _bytes: "ab")
    script(api, f"p/here/{NODE}-ab.tar.gz", how)
    place = SwiftStore(
        where="c:box",
        container="box",
        prefix="p",
        keep_s=60.0,
        open_store=lambda: objects,
        clock=clock,
    )
    kept = place.put("here", NODE, _DATA)

    assert (kept.store, kept.place, kept.size_bytes) == ("swift", "c:box", 0)
    assert one_sentence(kept.why or "")


@pytest.mark.parametrize("how", _AWAY)
def test_an_archive_says_what_is_missing(
    api: ScriptedApi, objects: OpenStackObjects, how: str
) -> None:
    """One file that did not get there is named; it raises nothing, and ends."""
    script(api, "r/a/x.bin", how)
    sink = ObjectSink(objects, cloud="c", container="box", root="r", keep_s=60, clock=SystemClock())
    with Archive(sink) as archive:
        archive.put([TreeFile(name="a/x.bin", pieces=iter([_DATA]))])
        done = archive.finish()

    assert (done.files, done.failed, done.url) == (0, 1, None)
    assert one_sentence(done.why)


@pytest.mark.parametrize("how", ["drops", "hangs", "fails"])
def test_a_container_that_nobody_answers_for_is_an_end(
    api: ScriptedApi, objects: OpenStackObjects, how: str
) -> None:
    """Before anything is sent."""
    for method in ("HEAD", "PUT"):
        api.on(method, BOX, _AWAY[how][0])
    sink = ObjectSink(objects, cloud="c", container="box", root="r", keep_s=60, clock=SystemClock())

    with pytest.raises(SinkError) as caught:
        sink.open()
    assert caught.value.final
    assert one_sentence(str(caught.value))
