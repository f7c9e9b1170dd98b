"""Capsules among broken records, and of machines whose holders write what nobody can read back."""

import json
from dataclasses import replace

import pytest

from launcher.capsule.describing import describe, redacted
from launcher.capsule.gathering import TEXT_BYTES_MAX, logs_of
from remuda.cli.capsule import find
from remuda.cli.errors import MistakeError
from remuda.model.capsule import Capsule, CapsuleKind, decode_capsule, encode_capsule
from remuda.model.ids import NodeId
from remuda.store.api import Create
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.worlds import NOW, add_node, world

_NODE = NodeId("0000000007")


def test_a_broken_record_hides_no_good_capsule_of_the_same_node() -> None:
    """Of another provider, or of before; alone it is said."""
    store = FakeZookeeper(ManualClock()).connect()
    good = Capsule(node=_NODE, label="a", pool="b", result="error.ssh", why="no", at_s=1.0)

    def put(path: str, data: bytes) -> None:
        for end in range(1, path.count("/")):
            above = "/".join(path.split("/")[: end + 1])
            if store.read(above) is None:
                store.commit([Create(path=above, data=b"")])
        store.commit([Create(path=path, data=data)])

    put(f"/remuda/failures/broken/{_NODE}", b"{no json")
    with pytest.raises(MistakeError, match=f"the capsule of node {_NODE} is broken"):
        find(store, _NODE, now_s=1.0)
    put(f"/remuda/failures/here/{_NODE}", encode_capsule(good))
    put(f"/remuda/capsules/here/{_NODE}", b"[]")

    provider, found = find(store, _NODE, now_s=1.0)

    assert (provider, found.why) == ("here", "no")


@pytest.mark.parametrize("who", ["x" * 100_000, "a\nb\ud800" * 200, "token=" + "s " * 600, 7])
def test_a_holder_cannot_have_a_capsule_written_that_nobody_reads(who: object) -> None:
    """Whatever it writes as its name."""
    one = world()
    view = add_node(one, 1, requestor=who)

    told = describe(one, view, NOW, kind=CapsuleKind.JOB, result="job.failed", why="x")
    told = replace(told, **redacted(told))

    assert decode_capsule(told.node, encode_capsule(told)).why == "x"
    json.dumps(told.requestor)


def test_the_first_line_of_a_log_that_was_cut_is_left_out() -> None:
    """It may be the second half of a password."""
    line = "2026-11-30 nothing\n"
    cut = "half-of-a-password\n" + line * (TEXT_BYTES_MAX // len(line) + 1)

    found = logs_of(f"=== m journal\n{cut}=== m cloud_init\nhalf\nx", "=== m")

    assert found["journal"].startswith("2026-11-30")
    assert found["cloud_init"] == "half\nx"
