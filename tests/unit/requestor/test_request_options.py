"""What may be asked for, and the record that comes of it."""

import json
import math
from typing import Any

import pytest

import requestor
from remuda.model import request as request_record
from remuda.model.fields import LABELS_MAX
from remuda.model.ids import RequestId
from requestor.errors import InvalidOptionsError
from requestor.request_options import RequestOptions, labels_of, priority_of, token_of


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
        (["a"] * (LABELS_MAX + 1), "251 nodes in one request; at most 250"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(wrong: dict[str, int], why: str) -> None:
    """Nothing is sent that no launcher could serve."""
    with pytest.raises(InvalidOptionsError, match=why):
        RequestOptions(labels=labels_of(wrong))


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": 1000},
        {"priority": -1},
        {"priority": 2.5},
        {"priority": True},
        {"priority": math.nan},
        {"deadline_s": 0},
        {"deadline_s": math.nan},
        {"deadline_s": math.inf},
        {"relative_priority": math.nan},
        {"relative_priority": math.inf},
        {"relative_priority": 10**400},
        {"relative_priority": 0.5},
        {"requestor": "r" * 1025},
        {"requestor": "\ud800"},
        {"tenant": "\ud800"},
        {"provider": "p" * 256},
        {"data": {"x": math.nan}},
        {"data": {"x": object()}},
        {"data": {"x": "x" * 65536}},
        {"labels": ("\ud800",)},
        {"labels": (7,)},
    ],
)
def test_what_launchers_would_refuse_is_not_sent(fields: dict[str, Any]) -> None:
    """One clear sentence instead: the id has three characters of priority, JSON has no NaN."""
    with pytest.raises(InvalidOptionsError) as refused:
        RequestOptions(**{"labels": ("a",), **fields}).record(now_s=0.0, token="t" * 32)

    assert len(str(refused.value)) < 400
    str(refused.value).encode()


@pytest.mark.parametrize("count", [math.nan, math.inf, 10**12, 1.5, True, "2"])
def test_counts_are_whole_numbers(count: Any) -> None:
    """A large one is refused before a list is made of it."""
    with pytest.raises(InvalidOptionsError):
        labels_of({"a": count})


def test_priorities_have_names() -> None:
    """The names are those of Zuul's three priorities."""
    assert [priority_of(one) for one in ("high", "normal", "low", "42", 7)] == [
        100,
        200,
        300,
        42,
        7,
    ]
    for wrong in ("nan", "inf", "1e3", "9" * 5000, ""):
        with pytest.raises(InvalidOptionsError, match="is neither one of high, normal, low"):
            priority_of(wrong)
    with pytest.raises(InvalidOptionsError, match="'urgent' is neither one of high, normal, low"):
        priority_of("urgent")


def test_the_record_has_every_key_that_zuul_insists_on() -> None:
    """An incomplete request makes Zuul's scheduler loop; a null tenant overwrites its own."""
    raw = RequestOptions(labels=("a",), relative_priority=3, provider="p").record(
        now_s=5.0, token="t" * 32
    )
    doc = json.loads(raw)

    assert request_record.decode(RequestId("200-1"), raw).complete
    assert doc["state"] == "requested"
    assert doc["state_time"] == doc["created_time"] == 5.0
    assert (doc["relative_priority"], doc["provider"], doc["nodes"]) == (3, "p", [])
    assert "tenant_name" not in doc


def test_the_token_is_found_again_and_only_in_our_records() -> None:
    """Foreign requestor_data may be anything."""
    raw = RequestOptions(labels=("a",), tenant="t1", data={"job": "j"}).record(
        now_s=0.0, token="abc"
    )
    ours = request_record.decode(RequestId("200-1"), raw)
    foreign = request_record.decode(
        RequestId("200-2"), b'{"state": "requested", "requestor_data": "text"}'
    )

    assert token_of(ours) == "abc"
    assert ours.tenant == "t1"
    assert token_of(foreign) is None


def test_the_old_name_of_the_error_is_good_for_one_release() -> None:
    """Who catches ``WishError`` goes on catching what makes no sense."""
    with pytest.raises(requestor.WishError):
        priority_of("urgent")
    assert requestor.WishError is requestor.InvalidOptionsError
