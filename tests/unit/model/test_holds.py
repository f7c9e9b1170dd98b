"""What is on record of holds and autoholds: round trips, and what each refuses."""

from dataclasses import replace
from typing import Any, Final

import pytest

from remuda.model import launch as launches
from remuda.model.autohold import (
    Autohold,
    Fired,
    decode_autohold,
    encode_autohold,
    pattern_fault,
)
from remuda.model.codec import CorruptRecordError, parse
from remuda.model.hold import Extension, Hold, HoldKey, HoldSource
from remuda.model.holdwish import (
    EXTENDS_MAX,
    HOLD_KEY,
    ExtendWish,
    HoldWish,
    KeyWish,
    SnapshotWish,
    wish_fields,
    wish_of,
)
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState

NODE: Final = NodeId("3000000001")
LAUNCH: Final = Launch(
    id=NODE,
    pool="main",
    label="small",
    step=Step.DONE,
    owner=ReplicaId("me"),
    planned_s=1.0,
    asked_by_s=1.0,
)
WISH: Final = HoldWish(
    token="t1", owner="ada", reason="red", at_s=7.5, for_s=60.0, contender="c__lock__0000000000"
)
FULL: Final = replace(
    WISH,
    job="unit",
    extend=(ExtendWish(token="e1", by="ada", for_s=60.0, at_s=8.0),),
    keys=(
        KeyWish(token="k1", by="ada", at_s=8.0, line="ssh-ed25519 AAAA", account="root"),
        KeyWish(token="k2", by="ada", at_s=8.0, developer="grace"),
    ),
    snapshot=SnapshotWish(token="s1", share_with="p1", public=False, for_s=9.0),
)
HOLD: Final = Hold(owner="ada", reason="red", source=HoldSource.ASKED, for_s=60.0)
HELD: Final = replace(
    HOLD,
    job="unit",
    asked_token="t1",
    since_s=10.0,
    ends_s=70.0,
    latest_s=100.0,
    bounded="no longer",
    extended=(Extension(token="e1", by="ada", at_s=8.0, ends_s=80.0, refused="once"),),
    keys=(
        HoldKey(token="k1", fingerprint="SHA256:x", name="ada", account="root", at_s=8.0),
        HoldKey(token="k2", fingerprint="", name="", account="root", at_s=8.0, refused="none"),
    ),
    warned_s=60.0,
    seen_s=60.0,
    logins=("ada from 198.18.0.9",),
    idle_since_s=50.0,
    lost="gone",
    autohold="a1",
)
AUTOHOLD: Final = Autohold(
    id="a1",
    owner="ada",
    reason="flaky",
    count=2,
    for_s=60.0,
    made_s=1.0,
    until_s=100.0,
    label="sm*",
    job="unit",
    fired=(Fired(node=NODE, provider="here", at_s=5.0),),
    keys=("ada",),
)


def node(**fields: Any) -> Node:
    """Return a node in use."""
    return Node(id=NODE, state=NodeState.IN_USE, doc=fields)


@pytest.mark.parametrize("wish", [WISH, FULL, replace(WISH, for_s=None)])
def test_a_wish_survives_in_the_record_of_the_node(wish: HoldWish) -> None:
    """Beside all else that it says."""
    assert wish_of(node(requestor="ci-7", **wish_fields(wish))) == wish
    assert wish_of(node()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"token": "a/b"},
        {"contender": "../x"},
        {"for_s": -1},
        {"for_s": "1h"},
        {"at_s": None},
        {"extend": [{"token": "e"}]},
        {"extend": "x"},
        {"keys": [{"token": "k", "by": "a", "at_s": 1.0}]},
        {"keys": [{"token": "k", "at_s": 1.0, "line": "x", "developer": "y"}]},
        {"snapshot": {"token": "s", "for_s": 9, "public": "yes"}},
        {"snapshot": {"token": "s", "for_s": 9, "share_with": "../x"}},
    ],
)
def test_what_is_no_wish_wishes_nothing(wrong: dict[str, Any]) -> None:
    """A record of somebody else's ends nobody."""
    said = {**wish_fields(WISH)[HOLD_KEY], **wrong}
    assert wish_of(node(**{HOLD_KEY: said})) is None


def test_a_wish_is_bounded() -> None:
    """Whoever writes it keeps the newest."""
    many = tuple(ExtendWish(token=f"e{i}", by="ada", for_s=60.0, at_s=8.0) for i in range(20))
    long = replace(WISH, reason="x\n" * 9999, extend=many)
    read = wish_of(node(**wish_fields(long)))
    assert read is not None
    assert read.extend == many[-EXTENDS_MAX:]
    assert len(read.reason) <= 500
    assert "\n" not in read.reason


@pytest.mark.parametrize("hold", [HOLD, HELD, replace(HOLD, refused="too many")])
def test_a_launch_says_what_was_made_of_it(hold: Hold) -> None:
    """And nothing where nobody holds it."""
    kept = replace(LAUNCH, hold=hold)
    assert launches.decode(NODE, launches.encode(kept)) == kept
    assert "hold" not in parse("x", launches.encode(LAUNCH))


def test_a_hold_is_granted_then_begun() -> None:
    """A refused one is neither."""
    assert (HOLD.granted, HOLD.begun) == (True, False)
    assert (HELD.granted, HELD.begun) == (False, True)
    assert not replace(HOLD, refused="no").granted


@pytest.mark.parametrize("ends", [b'"since_s":10.0', b'"ends_s":70.0'])
def test_a_hold_that_has_begun_has_an_end(ends: bytes) -> None:
    """A record without one would hold a machine for ever."""
    raw = launches.encode(replace(LAUNCH, hold=HELD)).replace(ends, b'"x":1')
    with pytest.raises(CorruptRecordError, match="ends_s"):
        launches.decode(NODE, raw)


def test_a_hold_says_whether_it_is_proven_in_one_word() -> None:
    """Anything else might be read as yes."""
    raw = launches.encode(replace(LAUNCH, hold=HELD)).replace(b'"proven":false', b'"proven":"no"')
    with pytest.raises(CorruptRecordError, match="proven"):
        launches.decode(NODE, raw)


def test_an_autohold_round_trip() -> None:
    """And what is left of it."""
    assert decode_autohold("a1", encode_autohold(AUTOHOLD)) == AUTOHOLD
    assert AUTOHOLD.left == 1
    assert AUTOHOLD.said == "label sm*, job unit"
    assert AUTOHOLD.waits(99.0)
    assert not AUTOHOLD.waits(100.0)
    assert not replace(AUTOHOLD, count=1).waits(99.0)


def test_an_autohold_without_a_pattern_is_none() -> None:
    """It would hold every failure."""
    with pytest.raises(CorruptRecordError, match="no pattern"):
        decode_autohold("a1", encode_autohold(replace(AUTOHOLD, label=None, job=None)))


def test_an_autohold_matches_by_all_of_its_patterns() -> None:
    """Of a job any name will do: its own, or its tenant's."""
    one = AUTOHOLD
    assert one.matches(label="small", requestor="x", jobs=("other", "unit"))
    assert not one.matches(label="large", requestor="x", jobs=("unit",))
    assert not one.matches(label="small", requestor="x", jobs=("other", ""))
    assert replace(one, requestor="ci-*").matches(label="small", requestor="ci-7", jobs=("unit",))
    assert not replace(one, requestor="*").matches(label="small", requestor="", jobs=("unit",))


@pytest.mark.parametrize("pattern", ["", "x" * 300, "*" * 9, "a\nb"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    """By whoever makes one, and by whoever reads one."""
    assert pattern_fault(pattern)
    with pytest.raises(CorruptRecordError):
        decode_autohold("a1", encode_autohold(replace(AUTOHOLD, label=pattern)))
    assert pattern_fault("unit-*") is None
