"""Packed documents: the same as what was read, in less room."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model import packed
from remuda.model.packed import (
    SHAPE_KEY_CHARS_MAX,
    SHAPE_KEYS_MAX,
    SHAPES_MAX,
    Packed,
    as_dict,
    shared,
)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(doc=st.dictionaries(st.text(), _VALUES))
def test_nothing_of_a_document_is_lost(doc: dict[str, Any]) -> None:
    """Keys, their order, and values of every kind."""
    kept = Packed(doc)

    assert list(doc.items()) == list(as_dict(kept).items())
    assert list(doc.items()) == list(kept.items())
    assert [kept.get(key) for key in doc] == list(doc.values())
    assert "no such key" not in kept or "no such key" in doc


def test_a_dictionary_of_it_is_its_own() -> None:
    """Who merges something into it changes no record."""
    kept = Packed({"a": 1})
    mine = as_dict(kept)
    mine["a"] = 2

    assert kept["a"] == 1


def test_equal_texts_are_kept_once() -> None:
    """Also those in lists: a host key is in both records of a node."""
    one, other = (bytes([number]).hex() * 8 for number in (7, 7))

    assert one is not other
    assert shared(one) is shared([other])[0]


def test_endless_shapes_are_not_remembered() -> None:
    """Somebody may write a new key into every record."""
    for number in range(SHAPES_MAX + 50):
        assert Packed({f"key-{number}": number})[f"key-{number}"] == number

    assert len(packed._SHAPES) <= SHAPES_MAX


@pytest.mark.parametrize(
    "doc",
    [
        {f"key-{number}": 1 for number in range(SHAPE_KEYS_MAX + 1)},
        {"k" * (SHAPE_KEY_CHARS_MAX + 1): 1},
    ],
    ids=["many keys", "a long key"],
)
def test_a_huge_shape_is_not_remembered(
    doc: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A foreign record may be nothing but keys; with the record, they go."""
    monkeypatch.setattr(packed, "_SHAPES", {})
    modest = dict(list(doc.items())[:SHAPE_KEYS_MAX]) if len(doc) > 1 else {"k": 1}

    assert as_dict(Packed(doc)) == doc
    assert packed._SHAPES == {}
    assert as_dict(Packed(modest)) == modest
    assert list(packed._SHAPES) == [tuple(modest)]
