"""Which packages are in a build: a list that fits, and what two of them do not have in common."""

import hashlib
import zlib

import pytest

from remuda.images.inventory import (
    PACKED_BYTES_MAX,
    Difference,
    decode_inventory,
    differences,
    encode_inventory,
    take,
)
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId

BUILD = BuildId("debian", 7)
HEAD = f"1 {'a' * 64} 1"


def noise(number: int) -> str:
    """Return a word that does not compress."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_a_list_comes_back_in_order() -> None:
    """Whatever order it came in; twice the same is once."""
    found = take([("b", "2"), ("a:amd64", "1"), ("b", "2")])

    assert found.packages == (("a:amd64", "1"), ("b", "2"))
    assert decode_inventory(BUILD, encode_inventory(found)) == found
    assert found.digest == take([("a:amd64", "1"), ("b", "2")]).digest
    assert decode_inventory(BUILD, encode_inventory(take([]))).packages == ()


def test_what_two_lists_do_not_have_in_common() -> None:
    """A kernel is there in several versions."""
    before = take([("gone", "1"), ("kernel", "5"), ("kernel", "6"), ("same", "1")])
    after = take([("kernel", "6"), ("kernel", "7"), ("new", "1"), ("same", "1")])
    found = differences(before, after)

    assert found == (
        Difference(package="gone", before="1", after=None),
        Difference(package="kernel", before="5, 6", after="6, 7"),
        Difference(package="new", before=None, after="1"),
    )
    assert [one.change for one in found] == ["removed", "changed", "added"]


def test_a_list_that_is_too_long_keeps_its_beginning() -> None:
    """And what is beyond that is not taken for gone."""
    long = take([(f"{number:05}-{noise(number)}", noise(number + 1)) for number in range(9000)])
    raw = encode_inventory(long)
    kept = decode_inventory(BUILD, raw)

    assert len(raw) <= PACKED_BYTES_MAX
    assert kept.cut
    assert 1000 < len(kept.packages) < kept.count == 9000
    assert kept.packages == long.packages[: len(kept.packages)]
    assert kept.digest == long.digest
    assert differences(long, kept) == differences(kept, long) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"2 {'a' * 64} 0",
        f"1 {'a' * 64} x",
        f"1 {'a' * 64} -1",
        f"1 {'a' * 64} {'9' * 5000}",
        f"{HEAD}\na 1\nb 2",
        f"{HEAD}\na",
        f"{HEAD}\na 1 2",
        f"{HEAD}\na \x1b[2J",
        f"{HEAD}\n{'a' * 300} 1",
    ],
)
def test_what_is_no_list_is_refused(text: str) -> None:
    """Anybody may write there."""
    with pytest.raises(CorruptRecordError):
        decode_inventory(BUILD, zlib.compress(text.encode()))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense",
        zlib.compress(HEAD.encode())[:-4],
        zlib.compress(b"a" * (5 * 1024 * 1024)),
        zlib.compress("1 \N{BUG} 0".encode()),
    ],
)
def test_what_cannot_be_inflated_is_refused(raw: bytes) -> None:
    """Nor is more inflated than a list can be."""
    with pytest.raises(CorruptRecordError):
        decode_inventory(BUILD, raw)
