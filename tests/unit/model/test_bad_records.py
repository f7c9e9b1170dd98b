"""Whatever a record holds, a decoder returns a value that is bounded, or one kind of error."""

import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remuda.model import codec, fields, launch, node, request, status
from remuda.model.codec import CorruptRecordError, UnknownSchemaError
from remuda.model.fields import Fields
from remuda.model.request import Request, RequestEvent
from tests.support.badrecords import (
    DECODERS,
    DOCS,
    NODE,
    REQUEST,
    SEEN,
    Bad,
    anything,
    bad_records,
    changed,
    deep,
    raw_of,
    readable,
)

KINDS = sorted(DOCS)


def finite(value: object) -> None:
    """Fail unless every number in a decoded value is finite, and every text can be encoded."""
    if isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for key, one in value.items():
            finite(key)
            finite(one)
    elif isinstance(value, list | tuple):
        for one in value:
            finite(one)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            if name != "doc":  # others' keys stay as they are
                finite(getattr(value, name))


@pytest.mark.parametrize("kind", KINDS)
def test_the_records_that_all_begin_with_are_right(kind: str) -> None:
    """Else what follows would prove nothing."""
    assert readable(kind, raw_of(DOCS[kind]))


@pytest.mark.parametrize("bad", SEEN, ids=str)
def test_what_was_seen_to_end_a_process_is_read_or_refused(bad: Bad) -> None:
    """Each instance, in any decoder of its kind."""
    if readable(bad.kind, bad.raw):
        finite(DECODERS[bad.kind](bad.raw))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_wrong_values_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    """Numbers without end, texts that no code has, depth, wrong types, in any combination."""
    raw = data.draw(bad_records(kind))
    if readable(kind, raw):
        finite(DECODERS[kind](raw))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, derandomize=True)
@given(doc=anything)
def test_any_json_is_read_or_refused(kind: str, doc: Any) -> None:
    """Also what resembles no record."""
    readable(kind, raw_of(doc))


@settings(max_examples=150, derandomize=True)
@given(raw=bad_records("request"))
def test_a_request_can_be_failed_whatever_it_holds(raw: bytes) -> None:
    """Its requestor must hear of it: what is written back is JSON, and not larger than allowed."""
    try:
        found = request.decode(REQUEST, raw)
        failed = request.encode(found.after(RequestEvent.REFUSED, now_s=7.0))
    except (CorruptRecordError, request.IllegalRequestStepError):
        return
    doc = json.loads(failed, parse_constant=pytest.fail)

    assert doc["state"] == "failed"
    assert request.decode(REQUEST, failed).state == "failed"


@settings(max_examples=150, derandomize=True)
@given(raw=bad_records("node"))
def test_a_node_that_was_read_can_be_written(raw: bytes) -> None:
    """With everything that is not ours in it."""
    try:
        found = node.decode(NODE, raw)
    except CorruptRecordError:
        return
    doc = json.loads(node.encode(found), parse_constant=pytest.fail)
    before = json.loads(raw)

    assert {key: doc[key] for key in before if key in node._DEFAULTS} == {
        key: before[key] for key in before if key in node._DEFAULTS
    }


UNFIT = [
    ({"relative_priority": float("nan")}, "NaN is not a number"),
    ({"relative_priority": 10**400}, "relative_priority is 100000"),
    ({"relative_priority": "1"}, "relative_priority is '1', not a number"),
    ({"state_time": float("inf")}, "Infinity is not a number"),
    ({"node_types": ["small"] * 1500}, "node_types has 1500 entries, more than 250"),
    ({"node_types": [7]}, "node_types holds 7, not a text"),
    ({"requestor": "r" * 1100}, "requestor has 1100 characters, more than 1024"),
    ({"requestor": "r" * 240_000}, "the record has 240"),
    ({"requestor": "r" * 600_000}, "the record has 600"),
    ({"provider": "\ud800"}, "provider is '\\ud800', not a text that can be encoded"),
    ({"x": deep(500)}, "nested more than 64 times"),
    ({"k" * 300_000: 1}, "the record has 300"),
    ({f"{number}{'k' * 400}": "v" * 400 for number in range(250)}, "the record has 2"),
    ({f"x{number}": 1 for number in range(300)}, "314 keys, more than 256"),
]


@pytest.mark.parametrize(("wrong", "why"), UNFIT, ids=[why for _, why in UNFIT])
def test_a_request_that_nobody_can_serve_says_why(wrong: dict[str, Any], why: str) -> None:
    """What is written back of it is small, and still of its requestor's making."""
    found = request.decode(REQUEST, raw_of({**DOCS["request"], **wrong}))
    failed = request.encode(found.after(RequestEvent.REFUSED, now_s=7.0, declined_by=("a",)))
    doc = json.loads(failed)

    assert found.unfit is not None
    assert why in found.unfit
    assert found.labels == ()
    assert len(failed) <= request.REQUEST_BYTES_MAX
    assert (doc["state"], doc["declined_by"]) == ("failed", ["a"])
    assert doc["requestor_data"] == DOCS["request"]["requestor_data"]
    assert request.decode(REQUEST, failed).state == "failed"
    # Who reads it next is not to think that it can be served after all.
    assert request.decode(REQUEST, failed).unfit == found.unfit


def test_a_request_within_the_limits_is_fit() -> None:
    """The largest that is served."""
    raw = raw_of({**DOCS["request"], "node_types": ["small"] * 250, "requestor": "r" * 1024})
    found = request.decode(REQUEST, raw)

    assert (found.unfit, len(found.labels)) == (None, 250)


def test_others_keys_survive_exactly() -> None:
    """Integers of 128 bits, and texts that only JSON can say."""
    doc = {**DOCS["request"], "x": ["\ud800", 2**127, 10**400, {"\udfff": None}]}
    again = json.loads(request.encode(request.decode(REQUEST, raw_of(doc))))

    assert doc["x"] == again["x"]


def test_a_newer_status_is_usable() -> None:
    """Fields that are new in a schema that we know are left alone; others' defaults hold."""
    raw = raw_of({**changed(DOCS["status"], "labels.small.new", [1]), "new": {"a": 1}})
    found = status.decode_status("there", raw)

    assert found.labels["small"].room == 5


@pytest.mark.parametrize("kind", ["launch", "status", "verdict", "failure", "failed request"])
def test_another_schema_is_not_guessed_at(kind: str) -> None:
    """It belongs to another version."""
    with pytest.raises(UnknownSchemaError, match="schema 3, not 1"):
        DECODERS[kind](raw_of({**DOCS[kind], "schema": 3}))


@pytest.mark.parametrize(
    "server", ["../os-keypairs/NAME", "a/b", "..", "", " a", "a\n", "é", "a" * 256]
)
@pytest.mark.parametrize("key", ["server", "floating_ip"])
def test_ids_of_things_in_clouds_look_like_ids(key: str, server: str) -> None:
    """They become part of a URL that deletes something."""
    with pytest.raises(CorruptRecordError, match=f"{key} (is .*, not an id|has 256)"):
        launch.decode(NODE, raw_of({**DOCS["launch"], key: server}))


def test_a_claim_names_a_place_in_its_own_lock_only() -> None:
    """Whoever drops the claim deletes it."""
    for path in ("/nodepool/nodes/3000000001", "/nodepool/requests-lock/200-0000000002/x", "x"):
        assert not readable("claim", raw_of({**DOCS["claim"], "contender": path}))


def test_what_is_no_number_is_written_as_null() -> None:
    """Rather than ending whoever writes."""
    doc = {"a": [float("nan"), {"b": float("inf")}], "c": (1.5, float("-inf"))}

    assert codec.dump(doc) == b'{"a":[null,{"b":null}],"c":[1.5,null]}'


@pytest.mark.parametrize(
    ("levels", "taken"), [(codec.DEPTH_MAX, True), (codec.DEPTH_MAX + 2, False)]
)
@pytest.mark.parametrize("mapping", [True, False])
def test_depth_is_bounded(levels: int, mapping: bool, taken: bool) -> None:  # noqa: FBT001
    """Python writes less deeply than it reads, from deeper in a program."""
    raw = raw_of({"x": deep(levels - 1, mapping=mapping)})
    try:
        found = codec.parse("x", raw)
    except CorruptRecordError:
        found = None

    assert taken == (found is not None)


def test_errors_are_short_whatever_they_quote() -> None:
    """They are logged and shown."""
    doc = {"a": "x" * 100_000, "b": 10**4000, "c": ["x" * 9999] * 99, "d": "\ud800\x1b[2J"}
    found = Fields("n" * 100_000, doc)
    for key in doc:
        with pytest.raises(CorruptRecordError) as refused:
            found.number(key)
        text = str(refused.value)
        assert len(text) < 500
        assert text.isascii() or "…" in text
        assert "\x1b" not in text


def test_prose_is_cut_and_made_safe() -> None:
    """Nobody is refused for a long or odd reason."""
    assert fields.safe("a\ud800b", 2) == "a?"
    assert Fields("x", {"a": "x" * 9999}).prose("a") == "x" * fields.PROSE_CHARS_MAX


def test_a_request_is_unfit_only_if_it_is_a_request() -> None:
    """Without a state it is set aside, as before."""
    for raw in (b"[1]", b"{", raw_of({"relative_priority": float("nan")}), b'{"state": "new"}'):
        with pytest.raises(CorruptRecordError):
            request.decode(REQUEST, raw)
    assert Request(id=REQUEST, state=request.RequestState.REQUESTED, labels=()).unfit is None
