"""Files on the way, and what is compared at their end."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from remuda.cloud.api import DamagedError, TryLaterError
from remuda.cloud.image_store import ImageStatus, Received, StoredImage
from remuda.cloud.transfer import IncomingFile, OutgoingFile, transfer_s_max

DATA = b"0123456789"
OTHER = b"0123456788"


def receive(pieces: Iterable[bytes], image: StoredImage, target: Path) -> Received:
    """Take all that arrives of an image, as one that is not gone on with."""
    incoming = IncomingFile(image, target)
    incoming.take(pieces)
    return incoming.finish()


def md5(data: bytes) -> str:
    """Return Glance's checksum."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


IMAGE = StoredImage(
    id="i1",
    name="a",
    status=ImageStatus.ACTIVE,
    size_bytes=len(DATA),
    md5=md5(DATA),
    hash_algo="sha512",
    hash_value=hashlib.sha512(DATA).hexdigest(),
)
BARE = replace(IMAGE, size_bytes=None, md5=None, hash_algo=None, hash_value=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with ten bytes."""
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def test_a_file_is_as_long_as_when_it_was_opened(path: Path) -> None:
    """What is written to it later is not sent."""
    sent = OutgoingFile(path)
    with path.open("ab") as file:
        file.write(b"more")

    assert len(sent) == len(DATA)
    assert [sent.read(6), sent.read(6), sent.read(6)] == [b"012345", b"6789", b""]
    sent.close()
    sent.compare(IMAGE)


def test_a_file_that_shrinks_is_damaged(path: Path) -> None:
    """The cloud would wait for the rest."""
    sent = OutgoingFile(path)
    path.write_bytes(b"012")

    assert sent.read(3) == b"012"
    with pytest.raises(DamagedError, match="shorter"):
        sent.read(3)


def test_a_file_that_is_missing_cannot_be_opened(tmp_path: Path) -> None:
    """As ever."""
    with pytest.raises(FileNotFoundError):
        OutgoingFile(tmp_path / "missing")


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        replace(BARE, size_bytes=len(DATA)),
        replace(BARE, md5=md5(DATA)),
        replace(IMAGE, hash_algo="blake2b", hash_value="whatever"),
        replace(IMAGE, hash_algo="sha512", hash_value=None),
    ],
    ids=["all", "size", "md5", "hash that we do not know", "no hash"],
)
def test_what_the_cloud_says_is_compared(path: Path, image: StoredImage) -> None:
    """As much as it says."""
    sent = OutgoingFile(path)
    assert b"".join(sent) == DATA

    sent.compare(image)


@pytest.mark.parametrize(
    "image",
    [
        BARE,
        replace(IMAGE, size_bytes=9),
        replace(IMAGE, md5=md5(OTHER)),
        replace(IMAGE, hash_value=hashlib.sha512(OTHER).hexdigest()),
    ],
    ids=["nothing", "size", "md5", "hash"],
)
def test_what_differs_is_damaged(path: Path, image: StoredImage) -> None:
    """And so is what cannot be compared at all."""
    sent = OutgoingFile(path)
    list(sent)

    with pytest.raises(DamagedError, match="i1"):
        sent.compare(image)


@pytest.mark.parametrize(
    ("image", "by"),
    [
        (IMAGE, "sha512"),
        (
            replace(
                IMAGE, hash_algo="sha256", hash_value=hashlib.sha256(DATA).hexdigest(), md5="x"
            ),
            "sha256",
        ),
        (replace(IMAGE, hash_algo=None, hash_value=None), "md5"),
        (replace(IMAGE, hash_algo="shake_128", hash_value="x"), "md5"),
        (replace(IMAGE, size_bytes=None), "sha512"),
        (replace(BARE, size_bytes=len(DATA)), None),
    ],
    ids=["sha512", "sha256", "md5 only", "unknown hash", "no size", "no hash"],
)
def test_what_arrives_is_verified_by_the_best_hash(
    tmp_path: Path, image: StoredImage, by: str | None
) -> None:
    """MD5 only where there is nothing better; we always say ourselves what came."""
    target = tmp_path / "target"

    got = receive([DATA[:4], b"", DATA[4:]], image, target)

    assert target.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [target]
    assert (got.size_bytes, got.sha512) == (len(DATA), hashlib.sha512(DATA).hexdigest())
    assert got.verified_by == by


def _broken() -> Iterator[bytes]:
    yield DATA[:4]
    raise TryLaterError("ended")


@pytest.mark.parametrize(
    ("pieces", "image", "error"),
    [
        ([OTHER], IMAGE, DamagedError),
        ([DATA[:9]], IMAGE, DamagedError),
        ([DATA, b"x"], replace(IMAGE, hash_algo=None), DamagedError),
        (_broken(), IMAGE, TryLaterError),
    ],
    ids=["other", "short", "long", "ended"],
)
def test_what_is_not_verified_leaves_no_file(
    tmp_path: Path, pieces: Iterator[bytes], image: StoredImage, error: type[Exception]
) -> None:
    """What was there before stays."""
    target = tmp_path / "target"
    target.write_bytes(b"before")

    with pytest.raises(error):
        receive(pieces, image, target)

    assert target.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [target]


SPARSE = b"begin" + bytes(1 << 20) + b"middle" + bytes(1 << 20)
EMPTY_DISK = replace(
    IMAGE,
    size_bytes=len(SPARSE),
    md5=None,
    hash_value=hashlib.sha512(SPARSE).hexdigest(),
)


def test_what_is_zero_is_a_hole(tmp_path: Path) -> None:
    """Its length and its bytes are right all the same, at the very end too."""
    target = tmp_path / "target"

    receive([SPARSE[:1_000_000], SPARSE[1_000_000:]], EMPTY_DISK, target)

    assert target.read_bytes() == SPARSE
    assert target.stat().st_blocks * 512 < len(SPARSE) // 4
    assert target.stat().st_mode & 0o077 == 0


def test_part_that_ends_in_a_hole_is_as_long_as_what_came(tmp_path: Path) -> None:
    """Else what follows would be asked for from the wrong place."""
    incoming = IncomingFile(EMPTY_DISK, tmp_path / "target", resume=True)
    with pytest.raises(TryLaterError):
        incoming.take(_ending(SPARSE[:500_000]))

    again = IncomingFile(EMPTY_DISK, tmp_path / "target", resume=True)
    size = again.size
    again.take([SPARSE[size:]], start=size)
    got = again.finish()

    assert size == 500_000
    assert (tmp_path / "target").read_bytes() == SPARSE
    assert got.sha512 == hashlib.sha512(SPARSE).hexdigest()


def test_cloud_that_sends_all_of_it_again_is_heard(tmp_path: Path) -> None:
    """From its first byte; nothing of the part is left behind the end."""
    (tmp_path / "target.part").write_bytes(b"012345678")
    incoming = IncomingFile(IMAGE, tmp_path / "target", resume=True)

    incoming.take([DATA], start=0)
    incoming.finish()

    assert (tmp_path / "target").read_bytes() == DATA


def test_more_than_there_is_ends_a_transfer_at_once(tmp_path: Path) -> None:
    """Nobody's disk is filled by a cloud that sends without end."""
    asked = []

    def endless() -> Iterator[bytes]:
        while True:
            asked.append(1)
            yield DATA

    with pytest.raises(DamagedError, match="more than"):
        receive(endless(), IMAGE, tmp_path / "target")

    assert len(asked) == 2
    assert list(tmp_path.iterdir()) == []


def test_link_in_the_place_of_a_part_is_not_followed(tmp_path: Path) -> None:
    """It would be written to what it points at."""
    (tmp_path / "other").write_bytes(b"precious")
    (tmp_path / "target.part").symlink_to(tmp_path / "other")

    with pytest.raises(OSError, match="symbolic"):
        receive([DATA], IMAGE, tmp_path / "target")

    assert (tmp_path / "other").read_bytes() == b"precious"


def test_larger_images_have_more_time() -> None:
    """And all have an end."""
    assert transfer_s_max(0) == 3600.0
    assert 3600.0 < transfer_s_max(1 << 30) < transfer_s_max(10 << 30) < 12 * 3600.0


def _ending(data: bytes) -> Iterator[bytes]:
    yield data
    raise TryLaterError("ended")


@pytest.mark.parametrize("resume", [False, True])
def test_hole_does_not_show_what_was_there_before(tmp_path: Path, *, resume: bool) -> None:
    """Neither that of a part which is not gone on with."""
    zeros = bytes(1 << 20)
    image = replace(
        IMAGE, size_bytes=len(zeros), hash_value=hashlib.sha512(zeros).hexdigest(), md5=None
    )
    (tmp_path / "target.part").write_bytes(b"x" * 100_000)
    incoming = IncomingFile(image, tmp_path / "target", resume=resume)

    incoming.take([zeros], start=0)
    incoming.finish()

    assert (tmp_path / "target").read_bytes() == zeros
