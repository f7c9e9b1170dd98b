"""What may be asked for, and the record that comes of it."""

import json

import pytest

from remuda.model import request as request_record
from remuda.model.ids import RequestId
from requestor.errors import WishError
from requestor.wish import Wish, labels_of, priority_of, token_of


def test_a_mapping_gives_labels_in_order_with_repeats() -> None:
    """The order of nodes follows the order of labels."""
    assert labels_of({"big": 1, "small": 2}) == ("big", "small", "small")


def test_a_sequence_and_a_word_are_taken_as_they_are() -> None:
    """Three ways to say the same."""
    assert labels_of(["a", "b"]) == ("a", "b")
    assert labels_of("a") == ("a",)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({}, "at least one label"),
        ({"a": 0}, "0 nodes of 'a'"),
        (["a b"], "'a b' is not a label"),
        (["a/b"], "'a/b' is not a label"),
        (["a"] * 201, "201 nodes"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(wrong: dict[str, int], why: str) -> None:
    """Nothing is sent that no launcher could serve."""
    with pytest.raises(WishError, match=why):
        Wish(labels=labels_of(wrong))


@pytest.mark.parametrize("fields", [{"priority": 1000}, {"priority": -1}, {"deadline_s": 0}])
def test_numbers_out_of_range_are_refused(fields: dict[str, int]) -> None:
    """The id has room for three characters of priority."""
    with pytest.raises(WishError):
        Wish(labels=("a",), **fields)  # type: ignore[arg-type]


def test_priorities_have_names() -> None:
    """The names are those of Zuul's three priorities."""
    assert [priority_of(one) for one in ("high", "normal", "low", "42", 7)] == [
        100,
        200,
        300,
        42,
        7,
    ]
    with pytest.raises(WishError, match="'urgent' is not one of high, normal, low"):
        priority_of("urgent")


def test_the_record_has_every_key_that_zuul_insists_on() -> None:
    """An incomplete request makes Zuul's scheduler loop; a null tenant overwrites its own."""
    raw = Wish(labels=("a",), relative_priority=3, provider="p").record(now_s=5.0, token="t" * 32)
    doc = json.loads(raw)

    assert request_record.decode(RequestId("200-1"), raw).complete
    assert doc["state"] == "requested"
    assert doc["state_time"] == doc["created_time"] == 5.0
    assert (doc["relative_priority"], doc["provider"], doc["nodes"]) == (3, "p", [])
    assert "tenant_name" not in doc


def test_the_token_is_found_again_and_only_in_our_records() -> None:
    """Foreign requestor_data may be anything."""
    raw = Wish(labels=("a",), tenant="t1", data={"job": "j"}).record(now_s=0.0, token="abc")
    ours = request_record.decode(RequestId("200-1"), raw)
    foreign = request_record.decode(
        RequestId("200-2"), b'{"state": "requested", "requestor_data": "text"}'
    )

    assert token_of(ours) == "abc"
    assert ours.tenant == "t1"
    assert token_of(foreign) is None
