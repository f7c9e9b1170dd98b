"""Masking a stream: what comes in pieces shows no more than what comes at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.log import mask
from builder.log.mask import HOLD_CHARS, LINE_CHARS_MAX, StreamMasker
from remuda.known_secrets import KNOWN
from remuda.redaction import BLANK

SECRETS = ("hunter2-hunter2", "correct horse battery", "x" * 600 + "END", "aaaaaaaaaaaa")


#: Enough for any form of a secret above: an eighth of what is held back else, and of what it costs.
SMALL_CHARS = HOLD_CHARS // 8


@contextmanager
def held_short() -> Iterator[None]:
    """Let lines be cut much earlier, and less of them be held back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mask, "HOLD_CHARS", SMALL_CHARS)
        patch.setattr(mask, "LINE_CHARS_MAX", 2 * SMALL_CHARS)
        yield


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


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from([*some, "word ", "-" * 375]), min_size=30, max_size=60)
        for some in (SECRETS, SECRETS[:2])
    ),
    st.integers(1, 625),
)
def test_a_line_without_an_end_shows_no_secret(words: list[str], size: int) -> None:
    """Nor is more of it held back than is needed."""
    KNOWN.hold("test", SECRETS)
    whole = "".join(words)
    masker = StreamMasker()
    told = ""
    with held_short():
        for start in range(0, len(whole), size):
            told += masker.feed(whole[start : start + size])
            assert len(masker._held) <= 2 * SMALL_CHARS + size
        told += masker.rest()

    assert not [one for one in SECRETS if one[:16] in told]
    # Where secrets that repeat themselves leave no place for a cut, the rest of the line is silent.
    if set(words).isdisjoint(SECRETS[2:]):
        assert told == KNOWN.mask(whole, BLANK)


def test_no_more_of_a_line_is_held_back_than_a_secret_may_reach_into() -> None:
    """A secret where it is cut is masked as anywhere else."""
    secret = SECRETS[0]
    line = "-" * (LINE_CHARS_MAX - HOLD_CHARS - len(secret) // 2) + secret + "-" * HOLD_CHARS
    masker = StreamMasker()
    told = masker.feed(line)

    assert len(told) > LINE_CHARS_MAX // 4
    assert 0 < len(masker._held) <= HOLD_CHARS + len(secret)
    assert told + masker.rest() == KNOWN.mask(line, BLANK)


def test_secrets_all_over_a_line_silence_it() -> None:
    """Where it cannot be cut nothing of it is shown; the next line is."""
    masker = StreamMasker()
    with held_short():
        told = masker.feed("aaaaaaaaaaaa" * 500)
        told += masker.feed("aaaa" * 2) + masker.feed("b\nnext\n")

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
