"""How what is stated of a build is kept, hashed and handed on."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.images.squeezed import squeeze
from remuda.images.statement import (
    PAYLOAD_BYTES_MAX,
    PREDICATE,
    TYPE,
    Statement,
    TooLargeError,
    decode_statement,
    digests,
    encode_statement,
    of_doc,
    part_of,
    read_statement,
)
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.store import FakeZookeeper

BUILD = BuildId("debian", 7)
DOC: dict[str, Any] = {"_type": TYPE, "predicateType": PREDICATE, "subject": [], "x": "ü\x1b"}
KEY, SIGNATURE = "ab" * 32, bytes(64)


def signed() -> Statement:
    """Return a statement that is complete, and signed."""
    plain = of_doc(DOC, complete=True)
    return Statement(payload=plain.payload, doc=DOC, complete=True, key=KEY, signature=SIGNATURE)


@pytest.mark.parametrize("one", [of_doc(DOC), of_doc(DOC, complete=True), signed()])
def test_what_was_written_is_read(one: Statement) -> None:
    """Byte for byte, or no hash of it would be right."""
    assert decode_statement(BUILD, encode_statement(one)) == one
    assert one.payload.isascii()


def test_equal_documents_have_one_hash() -> None:
    """Whatever the order of their keys."""
    assert of_doc(DOC).digest == of_doc(dict(reversed(DOC.items()))).digest


def test_an_envelope_is_as_dsse_has_it() -> None:
    """The encoding that is signed is the one of its protocol, with both lengths."""
    one = signed()
    found = one.envelope()

    assert base64.b64decode(found["payload"]) == one.payload
    assert found["payloadType"] == "application/vnd.in-toto+json"
    assert found["signatures"] == [{"keyid": KEY, "sig": base64.b64encode(SIGNATURE).decode()}]
    assert of_doc(DOC).envelope()["signatures"] == []
    assert one.signed == (
        b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(one.payload), one.payload)
    )


def test_there_is_no_room_for_more_than_a_znode_bears() -> None:
    """Neither to write it nor to read it."""
    with pytest.raises(TooLargeError):
        encode_statement(of_doc({**DOC, "x": "x" * PAYLOAD_BYTES_MAX}))
    large = json.dumps({**DOC, "x": "x" * (PAYLOAD_BYTES_MAX + 2048)}).encode()
    with pytest.raises(CorruptRecordError, match="too long"):
        decode_statement(BUILD, squeeze(b"1 draft - -\n" + large))


PAYLOAD = of_doc(DOC).payload.decode()


@pytest.mark.parametrize(
    ("head", "payload", "why"),
    [
        ("2 draft - -", PAYLOAD, "schema"),
        ("1 draft -", PAYLOAD, "four words"),
        ("1 whole - -", PAYLOAD, "stage"),
        (f"1 draft {KEY} {'0' * 128}", PAYLOAD, "by half"),
        (f"1 complete {KEY} -", PAYLOAD, "by half"),
        (f"1 complete - {'0' * 128}", PAYLOAD, "by half"),
        (f"1 complete {KEY} 00", PAYLOAD, "no signature"),
        (f"1 complete KEY {'0' * 128}", PAYLOAD, "no signature"),
        ("1 draft - -", "", "empty"),
        ("1 draft - -", "no json", "Expecting"),
        ("1 draft - -", "[]", "not an object"),
        ("1 draft - -", "[" * 100_000, ""),
        ("1 draft - -", '{"_type":NaN}', "not a number"),
        ("1 draft - -", "{}", "no statement"),
        ("1 draft - -", json.dumps({**DOC, "predicateType": "x"}), "no statement"),
    ],
)
def test_what_is_none_is_set_aside(head: str, payload: str, why: str) -> None:
    """With a reason."""
    with pytest.raises(CorruptRecordError, match=why or None):
        decode_statement(BUILD, squeeze(f"{head}\n{payload}".encode()))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        encode_statement(of_doc(DOC))[:-5],
        encode_statement(of_doc(DOC)) + b"x",
        b"x" * 300_000,
        squeeze("ü".encode()),
    ],
)
def test_what_is_not_even_compressed_is_set_aside(raw: bytes) -> None:
    """Nor does anything follow it."""
    with pytest.raises(CorruptRecordError):
        decode_statement(BUILD, raw)


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_end_anybody(raw: bytes, packed: bool) -> None:  # noqa: FBT001
    """They are a statement, or they are set aside."""
    with pytest.raises(CorruptRecordError) as caught:
        decode_statement(BUILD, squeeze(b"1 draft - -\n" + raw) if packed else raw)
    assert len(str(caught.value)) < 400


@given(st.recursive(st.none() | st.text(), lambda one: st.dictionaries(st.text(), one)))
def test_a_part_is_there_or_not(doc: Any) -> None:
    """Whatever stands in between."""
    assert part_of({"a": doc}, "a", "b", "c") is None or isinstance(doc, dict)


def test_hashes_are_known_by_their_algorithm() -> None:
    """What is no hash is none."""
    assert digests("sha512:00FF", "ab") == {"sha512": "00ff", "sha256": "ab"}
    assert digests("x") == digests(None) == {}


def test_nothing_is_stated_of_a_build_that_has_no_statement() -> None:
    """And what is there is read."""
    store = FakeZookeeper().connect()
    assert read_statement(store, BUILD) is None
    store.ensure(paths.image_log(BUILD))
    path = paths.image_statement(BUILD)
    store.commit([Create(path=path, data=encode_statement(signed()))])
    assert read_statement(store, BUILD) == signed()
