"""Masking a stream: what comes in pieces shows no more than what comes at once."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.logmask import HOLD_CHARS, LINE_CHARS_MAX, StreamMasker
from remuda.known_secrets import KNOWN
from remuda.redaction import BLANK

SECRETS = ("hunter2-hunter2", "correct horse battery", "x" * 600 + "END", "aaaaaaaaaaaa")


@pytest.fixture(autouse=True)
def _secrets() -> Iterator[None]:
    """Know some secrets, and none of another test."""
    KNOWN.forget()
    KNOWN.hold("test", SECRETS)
    yield
    KNOWN.forget()


_words = st.sampled_from([*SECRETS, "\n", "\n", " ", "word", "key: ", "\t", "hunter2-", "a", "x"])


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(_words, max_size=60), st.data())
def test_masking_does_not_depend_on_how_a_stream_is_cut(
    words: list[str], data: st.DataObject
) -> None:
    """Of no known value a part that is worth anything is ever shown."""
    KNOWN.hold("test", SECRETS)
    whole = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    masker = StreamMasker()
    shown = [masker.feed(whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    told = "".join([*shown, masker.rest()])

    assert told == KNOWN.mask(whole, BLANK)
    assert not [one for one in SECRETS if one in told]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(st.sampled_from([*SECRETS, "word ", "-" * 3000]), min_size=30, max_size=60),
    st.integers(1, 5000),
)
def test_a_line_without_an_end_shows_no_secret(words: list[str], size: int) -> None:
    """Nor is more of it held back than is needed."""
    KNOWN.hold("test", SECRETS)
    whole = "".join(words)
    masker = StreamMasker()
    told = ""
    for start in range(0, len(whole), size):
        told += masker.feed(whole[start : start + size])
        assert len(masker._held) <= LINE_CHARS_MAX + size
    told += masker.rest()

    assert not [one for one in SECRETS if one in told]
    if "aaaaaaaaaaaa" not in words:
        assert told == KNOWN.mask(whole, BLANK)


def test_secrets_all_over_a_line_silence_it() -> None:
    """Where it cannot be cut nothing of it is shown; the next line is."""
    masker = StreamMasker()
    told = masker.feed("aaaaaaaaaaaa" * 4000) + masker.feed("aaaa" * 10) + masker.feed("b\nnext\n")

    assert BLANK in told
    assert "aaaa" not in told
    assert told.endswith("next\n")


def test_a_key_that_comes_line_by_line_is_masked_whole() -> None:
    """It is not known, but looks like one."""
    lines = ["-----BEGIN OPENSSH PRIVATE KEY-----", *["b3BlbnNzaC1rZXk" * 4] * 30]
    masker = StreamMasker()
    told = "".join(masker.feed(f"{line}\n") for line in ["before", *lines])
    assert told == "before\n"
    told += masker.feed("-----END OPENSSH PRIVATE KEY-----\n") + masker.feed("after\n")

    assert told == f"before\n{BLANK}\nafter\n"
    begun = masker.feed("-----BEGIN OPENSSH PRIVATE KEY-----\n") + masker.feed(
        "x\n" * HOLD_CHARS * 2
    )
    assert begun.startswith(BLANK)
