"""What is on record of captures: round trips, and what each refuses."""

from dataclasses import replace
from typing import Any, Final

import pytest

from remuda.model import launch as launches
from remuda.model.build import Build, BuildState, Why, decode_build, encode_build
from remuda.model.capture import (
    CAPTURE_KEY,
    Capture,
    CaptureAsk,
    Captured,
    ask_fields,
    ask_of,
    requestor_of,
)
from remuda.model.codec import CorruptRecordError, parse
from remuda.model.guest import Guest
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState

ASK: Final = CaptureAsk(image="oneiric", token="t1", contender="c__lock__0000000000", at_s=7.5)
KEY: Final = f"ssh-ed25519 {'A' * 68}"
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
MACHINE: Final = Captured(
    node=NODE, provider="here", pool="main", label="small", requestor="ci-7", token="t1"
)
BUILD: Final = Build(
    id=BuildId("oneiric", 3),
    state=BuildState.BUILDING,
    why=Why.CAPTURE,
    requested_s=1.0,
    since_s=1.0,
    captured=MACHINE,
    login_key=KEY,
    quieted_s=5.0,
)


def node(**fields: Any) -> Node:
    """Return a node in use."""
    return Node(id=NODE, state=NodeState.IN_USE, doc=fields)


def test_what_is_asked_survives_in_the_record_of_the_node() -> None:
    """Beside all else that it says."""
    asked = node(requestor="ci-7", **ask_fields(ASK))
    assert ask_of(asked) == ASK
    assert requestor_of(asked) == "ci-7"
    assert ask_of(node()) is None


@pytest.mark.parametrize("name", [None, "", 7, ["x"]])
def test_a_node_without_a_requestor_is_nobodys(name: Any) -> None:
    """No pattern of a person matches that."""
    assert requestor_of(node(requestor=name)) == ""


@pytest.mark.parametrize(
    "said",
    [
        {**ask_fields(ASK)[CAPTURE_KEY], "image": "../x"},
        {**ask_fields(ASK)[CAPTURE_KEY], "token": ""},
        {**ask_fields(ASK)[CAPTURE_KEY], "contender": "a/b"},
        {**ask_fields(ASK)[CAPTURE_KEY], "contender": None},
        {**ask_fields(ASK)[CAPTURE_KEY], "at_s": "now"},
        "oneiric",
    ],
)
def test_what_is_no_ask_asks_nothing(said: Any) -> None:
    """A record of somebody else's ends nobody."""
    assert ask_of(node(**{CAPTURE_KEY: said})) is None


@pytest.mark.parametrize(
    "found",
    [
        Capture(ask=ASK, requestor="ci-7"),
        Capture(ask=ASK, requestor="ci-7", refused="no"),
        Capture(ask=ASK, requestor="", build=BuildId("oneiric", 3)),
    ],
)
def test_a_launch_says_what_was_made_of_it(found: Capture) -> None:
    """And whom it let in."""
    for guest in (None, Guest(key=KEY), Guest(key=KEY, refused="it is shut")):
        first = replace(LAUNCH, capture=found, guest=guest)
        assert launches.decode(NODE, launches.encode(first)) == first
    bare = parse("x", launches.encode(LAUNCH))
    assert not {"capture", "guest"} & bare.keys()


def test_a_guest_without_a_key_is_none() -> None:
    """Whoever reads it would wait for nothing."""
    raw = launches.encode(replace(LAUNCH, guest=Guest(key=KEY))).replace(b"login_key", b"login_kex")
    with pytest.raises(CorruptRecordError, match="login_key"):
        launches.decode(NODE, raw)


def test_a_build_says_of_which_machine_it_is_made() -> None:
    """In words, too."""
    assert decode_build(BUILD.id, encode_build(BUILD)) == BUILD
    assert MACHINE.said == "node 3000000001 (small in here), held by ci-7"
    raw = encode_build(replace(BUILD, captured=replace(MACHINE, token="")))
    with pytest.raises(CorruptRecordError, match="token"):
        decode_build(BUILD.id, raw)


def test_a_build_has_one_attempt_once_its_machine_was_touched() -> None:
    """Others begin with a machine of their own."""
    assert BUILD.once
    assert not replace(BUILD, quieted_s=None).once
    assert not replace(BUILD, captured=None).once
