"""Objects: stored whole or not at all, read as they were stored, and listed."""

from collections.abc import Iterator
from itertools import count
from typing import Final

import pytest

from remuda.cloud.api import BadOrderError, DamagedError, GoneError, NoRoomError, TryLaterError
from remuda.cloud.objects import ObjectOrder, TooLargeError
from tests.contract.cloud.bench import SEGMENT_BYTES, Bench, Fault

_DAY_S: Final = 86_400
_NUMBERS: Final = count()
_SMALL: Final = b"what a job has left\n" * 5000
#: More than two segments.
_LARGE: Final = bytes(range(256)) * (SEGMENT_BYTES * 5 // 2 // 256)


def _order(name: str = "job/1/log.txt", **more: object) -> ObjectOrder:
    bounds = {"bytes_max": len(_SMALL), "keep_s": _DAY_S, **more}
    return ObjectOrder(name=name, **bounds)  # type: ignore[arg-type]


def _pieces(data: bytes, size: int = 300_000) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.fixture
def box(bench: Bench) -> Iterator[str]:
    """A container, which is deleted with all that it holds."""
    name = f"contract-{next(_NUMBERS)}-box"
    bench.objects.make_container(name)
    yield name
    for each in bench.objects.list_objects(name):
        bench.objects.delete(name, each.name)
    bench.objects.delete_container(name)


def _read(bench: Bench, box: str, name: str) -> bytes:
    with bench.objects.read(box, name, bytes_max=len(_LARGE)) as (_, pieces):
        return b"".join(pieces)


@pytest.mark.parametrize("size", [len(_SMALL), None])
def test_object_is_read_as_it_was_stored(bench: Bench, box: str, size: int | None) -> None:
    """Whether its length is known beforehand or not; nothing unpacks it on the way."""
    order = _order(
        size_bytes=size,
        content_type="text/plain; charset=utf-8",
        content_encoding="gzip",  # of bytes that are no such thing: nobody looks into them
        metadata={"node": "0000000001"},
    )

    told = bench.objects.put(box, order, _pieces(_SMALL))
    found = bench.objects.get(box, order.name)

    assert _read(bench, box, order.name) == _SMALL
    assert (found.size_bytes, found.md5) == (told.size_bytes, told.md5) == (len(_SMALL), found.md5)
    assert found.content_type == "text/plain; charset=utf-8"
    assert found.content_encoding == "gzip"
    assert found.metadata == {"node": "0000000001"}
    assert not found.segmented
    assert found.ends_s == pytest.approx(found.modified_s + _DAY_S, abs=5.0)
    assert told.ends_s == pytest.approx(found.ends_s, abs=5.0)


@pytest.mark.parametrize("size", [0, None])
def test_empty_object_is_one(bench: Bench, box: str, size: int | None) -> None:
    """A job may leave empty files."""
    bench.objects.put(box, _order(size_bytes=size), iter(()))

    assert bench.objects.get(box, "job/1/log.txt").size_bytes == 0
    assert _read(bench, box, "job/1/log.txt") == b""


@pytest.mark.parametrize("name", ["a b/ü%3F?x=1&y#z", "100%/%2e%2e/x", "ключ/…", "a:b;c,d/~e'\"<>"])
def test_any_name_is_one(bench: Bench, box: str, name: str) -> None:
    """What has a meaning in a URL has none in a name."""
    bench.objects.put(box, _order(name), [_SMALL])

    assert [each.name for each in bench.objects.list_objects(box)] == [name]
    assert _read(bench, box, name) == _SMALL


@pytest.mark.parametrize("size", [len(_LARGE), None])
def test_large_object_lies_in_segments_that_go_along(
    bench: Bench, box: str, size: int | None
) -> None:
    """Nobody sees them but who looks for them."""
    order = _order("large.bin", bytes_max=2 * len(_LARGE), size_bytes=size)

    bench.objects.put(box, order, _pieces(_LARGE))

    (listed,) = bench.objects.list_objects(box)
    assert listed.name == "large.bin"
    assert bench.objects.get(box, "large.bin").size_bytes == len(_LARGE)
    assert _read(bench, box, "large.bin") == _LARGE
    bench.objects.delete(box, "large.bin")
    bench.objects.delete(box, "large.bin")  # again: no error
    bench.until(lambda: not bench.objects.get_container(box).objects, "nothing is left")


def test_listing_is_whole_and_by_name(bench: Bench, box: str) -> None:
    """Over pages of two."""
    names = [f"a/{each}" for each in range(5)] + ["b"]
    for name in reversed(names):
        bench.objects.put(box, _order(name), [_SMALL])

    listed = bench.objects.list_objects(box)

    assert [each.name for each in listed] == names
    assert {each.size_bytes for each in listed} == {len(_SMALL)}
    assert [each.name for each in bench.objects.list_objects(box, "a/")] == names[:5]
    assert bench.objects.list_objects(box, "c") == ()


def test_object_is_replaced_on_order_only(bench: Bench, box: str) -> None:
    """A name that somebody else has chosen is not overwritten."""
    bench.objects.put(box, _order(), [_SMALL])

    with pytest.raises(BadOrderError, match="already"):
        bench.objects.put(box, _order(), [b"other"])
    assert _read(bench, box, "job/1/log.txt") == _SMALL
    bench.objects.put(box, _order(replace=True), [b"other"])
    assert _read(bench, box, "job/1/log.txt") == b"other"


@pytest.mark.parametrize("known", ["known length", "unknown length"])
@pytest.mark.parametrize("data", [_SMALL, _LARGE], ids=["whole", "in segments"])
def test_source_that_fails_leaves_nothing(bench: Bench, box: str, known: str, data: bytes) -> None:
    """It raises what the source raises, also an OSError, which HTTP libraries have a use for."""

    def broken() -> Iterator[bytes]:
        yield data[: len(data) * 2 // 3]
        raise OSError("the machine is gone")

    size = len(data) if known == "known length" else None
    order = _order(bytes_max=len(data), size_bytes=size)
    with pytest.raises(OSError, match="the machine is gone"):
        bench.objects.put(box, order, broken())

    assert bench.objects.list_objects(box) == ()
    bench.until(lambda: not bench.objects.get_container(box).objects, "nothing is left")


@pytest.mark.parametrize(
    ("order", "data", "error"),
    [
        ({"bytes_max": 1000}, _SMALL, TooLargeError),
        ({"bytes_max": SEGMENT_BYTES * 2}, _LARGE, TooLargeError),
        ({"size_bytes": 1000}, _SMALL, DamagedError),
        ({"size_bytes": len(_SMALL)}, _SMALL[:-1], DamagedError),
        ({"size_bytes": 0}, b"x", DamagedError),
    ],
)
def test_wrong_number_of_bytes_leaves_nothing(
    bench: Bench, box: str, order: dict[str, object], data: bytes, error: type[Exception]
) -> None:
    """Too many, or not as many as was said."""
    with pytest.raises(error):
        bench.objects.put(box, _order(**order), _pieces(data, 1024))

    assert bench.objects.list_objects(box) == ()


def test_transfer_ends_when_it_is_not_to_go_on(bench: Bench, box: str) -> None:
    """Between two pieces, and nothing of it is left."""
    left = iter([None, None, "we are told to end"])

    order = _order(bytes_max=len(_LARGE))
    with pytest.raises(TryLaterError, match="told to end"):
        bench.objects.put(box, order, _pieces(_LARGE), going=lambda: next(left, "over"))
    assert bench.objects.list_objects(box) == ()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.OBJECT_LOST_CALL, TryLaterError),
        (Fault.OBJECT_GARBLED, DamagedError),
        (Fault.OBJECT_QUOTA, NoRoomError),
        (Fault.OBJECT_FULL, NoRoomError),
    ],
)
def test_put_that_fails_leaves_nothing_and_may_be_repeated(
    bench: Bench, box: str, fault: Fault, error: type[Exception]
) -> None:
    """Whatever goes wrong."""
    bench.fault(fault)

    with pytest.raises(error):
        bench.objects.put(box, _order(), [_SMALL])
    assert bench.objects.list_objects(box) == ()
    bench.objects.put(box, _order(), [_SMALL])


def test_put_whose_answer_is_lost_is_settled_by_a_look(bench: Bench, box: str) -> None:
    """It is there, so that it has been stored."""
    bench.fault(Fault.OBJECT_LOST_REPLY)

    told = bench.objects.put(box, _order(), [_SMALL])

    assert bench.objects.get(box, told.name).md5 == told.md5


def test_large_put_that_fails_takes_its_segments_along(bench: Bench, box: str) -> None:
    """They cost quota, too."""
    bench.fault(Fault.OBJECT_GARBLED)

    with pytest.raises(DamagedError):
        bench.objects.put(box, _order(bytes_max=len(_LARGE)), _pieces(_LARGE))
    bench.until(lambda: not bench.objects.get_container(box).objects, "nothing is left")


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Fault.OBJECT_CUT, TryLaterError), (Fault.OBJECT_SPOILT, DamagedError)],
)
def test_what_is_read_is_compared(
    bench: Bench, box: str, fault: Fault, error: type[Exception]
) -> None:
    """The next attempt has all of it."""
    bench.objects.put(box, _order(), [_SMALL])
    bench.fault(fault)

    with pytest.raises(error):
        _read(bench, box, "job/1/log.txt")
    assert _read(bench, box, "job/1/log.txt") == _SMALL


def test_look_that_fails_says_so(bench: Bench, box: str) -> None:
    """Not that there is nothing."""
    bench.objects.put(box, _order(), [_SMALL])
    bench.fault(Fault.OBJECT_BROKEN)

    with pytest.raises(TryLaterError):
        bench.objects.get(box, "job/1/log.txt")


def test_what_is_not_there_is_gone(bench: Bench, box: str) -> None:
    """Objects and containers."""
    with pytest.raises(GoneError):
        bench.objects.get(box, "none")
    with pytest.raises(GoneError), bench.objects.read(box, "none", bytes_max=1):
        pass
    with pytest.raises(GoneError):
        bench.objects.put("contract-none", _order(), [_SMALL])
    with pytest.raises(GoneError):
        bench.objects.list_objects("contract-none")
    with pytest.raises(GoneError):
        bench.objects.get_container("contract-none")
    bench.objects.delete(box, "none")
    bench.objects.delete_container("contract-none")


def test_more_than_is_allowed_is_not_read(bench: Bench, box: str) -> None:
    """Before the first byte."""
    bench.objects.put(box, _order(), [_SMALL])

    with (
        pytest.raises(TooLargeError),
        bench.objects.read(box, "job/1/log.txt", bytes_max=len(_SMALL) - 1),
    ):
        pass
