"""What is in a build: a list that fits, and what two of them do not have in common."""

import hashlib
import zlib

import pytest

from remuda.images.inventory import (
    PACKED_BYTES_MAX,
    Difference,
    Folder,
    ItemKind,
    MachineContents,
    decode_inventory,
    differences,
    encode_inventory,
    take,
)
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId

BUILD = BuildId("debian", 7)
HEAD = f"2 {'a' * 64} 1 -"


def folder(name: str, files: int = 1, size: int = 10, digest: str = "1") -> Folder:
    """Return a folder."""
    return Folder(name=name, files=files, bytes=size, digest=digest * 64)


def contents(*folders: Folder, measure: str = "contents-1") -> MachineContents:
    """Return a machine's contents with one service."""
    return MachineContents(measure=measure, services=(("ssh", "multi-user"),), folders=folders)


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
        Difference(kind=ItemKind.PACKAGE, name="gone", before="1", after=None),
        Difference(kind=ItemKind.PACKAGE, name="kernel", before="5, 6", after="6, 7"),
        Difference(kind=ItemKind.PACKAGE, name="new", before=None, after="1"),
    )
    assert [one.change for one in found] == ["removed", "changed", "added"]


def test_services_and_folders_are_listed_after_packages() -> None:
    """Of a folder's hash as much is kept as tells two, and the hash of all is made of that."""
    found = take([("z", "1")], contents(folder("/opt"), folder("/etc")))
    other = take([("z", "1")], contents(folder("/opt"), folder("/etc", digest="2")))

    assert [one.name for one in found.items] == ["z", "ssh", "/etc", "/opt"]
    assert found.items[-1].value == f"1:10:{'1' * 24}"
    assert found.packages == (("z", "1"),)
    assert decode_inventory(BUILD, encode_inventory(found)) == found
    assert found.whole
    assert not take([("z", "1")]).whole
    assert len({found.digest, other.digest, take([("z", "1")]).digest}) == 3
    assert take([], contents(measure="sizes-1")).digest != take([], contents()).digest


def test_each_kind_says_what_has_changed_in_words() -> None:
    """Of a folder how much is in it, not its hash."""
    before = take(
        [("openssl", "3.0.13"), ("git", "1")],
        contents(folder("/a"), folder("/b", files=2, size=3 << 20), folder("/c")),
    )
    after = take(
        [("openssl", "3.0.15"), ("new", "2")],
        contents(folder("/a", digest="2"), folder("/b", files=3, size=4 << 10)),
    )

    assert [one.text for one in differences(before, after)] == [
        "git 1 is gone",
        "new 2 is new",
        "openssl 3.0.13 → 3.0.15",
        "/a has other contents",
        "/b 2 files, 3.0 MiB → 3 files, 4.0 KiB",
        "/c 1 file, 10 B is gone",
    ]


def test_what_was_listed_in_two_ways_is_compared_by_packages_alone() -> None:
    """Else each folder would have changed."""
    one = take([("a", "1")], contents(folder("/a", digest="1")))
    other = take([("a", "2")], contents(folder("/a", digest="2"), measure="sizes-1"))

    assert [each.name for each in differences(one, other)] == ["a"]


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
        "2",
        f"1 {'a' * 64} 0",
        f"2 {'a' * 64} 0",
        f"2 {'a' * 64} x -",
        f"2 {'a' * 64} -1 -",
        f"2 {'a' * 64} {'9' * 5000} -",
        f"{HEAD}\np a 1\np b 2",
        f"{HEAD}\np a",
        f"{HEAD}\nx a 1",
        f"{HEAD}\nf /a 1",
        f"{HEAD}\nf /a 1:2:xyz",
        f"{HEAD}\np a 1 2",
        f"{HEAD}\np a \x1b[2J",
        f"{HEAD}\np {'a' * 300} 1",
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
        zlib.compress("2 \N{BUG} 0 -".encode()),
    ],
)
def test_what_cannot_be_inflated_is_refused(raw: bytes) -> None:
    """Nor is more inflated than a list can be."""
    with pytest.raises(CorruptRecordError):
        decode_inventory(BUILD, raw)
