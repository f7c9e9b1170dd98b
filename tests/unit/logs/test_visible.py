"""Nothing in a stranger's text steers a terminal, turns its order round, or hides."""

import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.jsontext import to_json
from remuda.visible import visible, visible_lines

#: What is written out whatever Python's own Unicode knows of it.
FORBIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
ANY = st.text(alphabet=st.characters(codec=None)) | st.text(
    alphabet=st.sampled_from("a\\\x1b\r\n\t\x7f\x9b\xad\u202e\u2028\u200b\ufeff\ud800\U000e0041é漢")
)


def hidden(text: str) -> list[str]:
    """Return the characters that must not be in a line."""
    return [char for char in text if unicodedata.category(char) in FORBIDDEN]


@given(ANY)
def test_nothing_forbidden_is_left(text: str) -> None:
    """In one line nothing at all, in several only their ends and tabs."""
    assert hidden(visible(text)) == []
    assert set(hidden(visible_lines(text))) <= {"\n", "\t"}


@given(ANY)
def test_it_can_be_done_again(text: str) -> None:
    """What was made visible stays as it is."""
    assert visible(visible(text)) == visible(text)
    assert visible_lines(visible_lines(text)) == visible_lines(text)


@given(st.text(alphabet=st.characters(exclude_categories=("C", "Z", "M"))))
def test_what_can_be_seen_is_untouched(text: str) -> None:
    """Letters of all peoples, and backslashes."""
    plain = "".join(char for char in text if char not in "\u115f\u1160\u3164\uffa0")

    assert visible(plain) == plain
    assert visible_lines(plain) == plain


def test_every_code_point_of_the_forbidden_classes_is_written_out() -> None:
    """Also in a newer Unicode than the one the list was made from."""
    every = (chr(code) for code in range(0x110000))
    left = [f"{ord(one):x}" for one in every if hidden(one) and hidden(visible(one))]

    assert left == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b2J", "\\x9b2J"),
        ("\ud800", "\\ud800"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("Grüße, 漢字, emoji 🙂", "Grüße, 漢字, emoji 🙂"),
        ("C:\\new", "C:\\new"),
    ],
)
def test_how_it_is_written(text: str, shown: str) -> None:
    """As Python would write it."""
    assert visible(text) == shown


def test_line_ends_of_consoles_are_line_ends() -> None:
    """But a lone carriage return would overwrite the line."""
    assert visible_lines("a\r\nb\rc\n") == "a\nb\\rc\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
)


@given(JSON)
def test_json_is_json_and_safe_on_a_terminal(data: object) -> None:
    """Without NaN, in ASCII, and nothing ends it."""
    text = to_json(data)

    assert text.isascii()
    assert hidden(text) == []
    json.loads(text, parse_constant=pytest.fail)


def test_json_takes_numbers_that_are_none() -> None:
    """Not a number, infinite, and of 5,000 digits."""
    assert json.loads(to_json({"a": [math.nan, -math.inf], "b": (10**5000,)})) == {
        "a": ["nan", "-inf"],
        "b": ["a number of 16610 bits"],
    }
