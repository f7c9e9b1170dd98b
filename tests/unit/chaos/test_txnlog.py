"""Transaction logs are read as ZooKeeper writes them, and damaged ones are not."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.judge.txnlog import (
    MAGIC,
    Close,
    Create,
    Delete,
    LogError,
    Open,
    Set,
    Txn,
    committed,
    read_file,
    read_server,
)

_SESSION = 0x1000ABCD
_HEAD = struct.pack(">iiq", MAGIC, 2, 0)


def _text(value: str) -> bytes:
    return struct.pack(">i", len(value.encode())) + value.encode()


def _create(path: str, data: bytes, *, ephemeral: bool = False) -> bytes:
    acl = struct.pack(">ii", 1, 31) + _text("world") + _text("anyone")
    raw = struct.pack(">i", len(data)) + data
    return _text(path) + raw + acl + struct.pack(">bi", ephemeral, 1)


def _set(path: str, data: bytes) -> bytes:
    return _text(path) + struct.pack(">i", len(data)) + data + struct.pack(">i", 7)


def _multi(*parts: tuple[int, bytes]) -> bytes:
    packed = (struct.pack(">ii", kind, len(raw)) + raw for kind, raw in parts)
    return struct.pack(">i", len(parts)) + b"".join(packed)


def _entry(zxid: int, kind: int, body: bytes) -> bytes:
    raw = struct.pack(">qiqqi", _SESSION, 3, zxid, 1_700_000_000_123, kind) + body
    raw += struct.pack(">iq", 2, 99)  # the digest that newer servers add
    return struct.pack(">qi", zlib.adler32(raw), len(raw)) + raw + b"B"


def _log(path: Path, *entries: bytes) -> Path:
    path.write_bytes(_HEAD + b"".join(entries) + bytes(1000))
    return path


def test_every_kind_of_transaction_is_read(tmp_path: Path) -> None:
    """Creations of all kinds, deletions, writes, sessions, several at once; failures are empty."""
    made = _create("/a", b"x")
    container = _text("/c") + struct.pack(">i", 0) + struct.pack(">ii", 0, 1)
    entries = [
        _entry(1, -10, struct.pack(">i", 4000)),
        _entry(2, 1, made),
        _entry(3, 15, _create("/e", b"", ephemeral=True)),
        _entry(4, 14, _multi((5, _set("/a", b"y")), (13, _set("/a", b"")[:10]), (2, _text("/e")))),
        _entry(5, -1, struct.pack(">i", -101)),
        _entry(6, 14, _multi((1, made), (-1, struct.pack(">i", -110)))),
        _entry(7, 19, container),
        _entry(8, 21, container + struct.pack(">q", 9)),
        _entry(9, 20, _text("/c")),
        _entry(10, -11, b""),
    ]

    read = list(read_file(_log(tmp_path / "log.1", *entries)))

    assert [one.ops for one in read] == [
        (Open(4.0),),
        (Create("/a", b"x"),),
        (Create("/e", b"", _SESSION),),
        (Set("/a", b"y"), Delete("/e")),
        (),
        (),
        (Create("/c", b""),),
        (Create("/c", b""),),
        (Delete("/c"),),
        (Close(),),
    ]
    assert {(one.session, one.at_s) for one in read} == {(_SESSION, 1_700_000_000.123)}


def test_files_of_one_server_are_read_in_order(tmp_path: Path) -> None:
    """Their names are hexadecimal."""
    _log(tmp_path / "log.a", _entry(10, 2, _text("/b")))
    _log(tmp_path / "log.9", _entry(9, 2, _text("/a")))

    assert list(read_server(tmp_path)) == [9, 10]


def test_an_entry_that_was_not_finished_is_no_entry(tmp_path: Path) -> None:
    """The server was killed while it wrote it: nobody was told that it happened."""
    whole, half = _entry(1, 2, _text("/a")), _entry(2, 2, _text("/b"))[:-5]

    assert [one.zxid for one in read_file(_log(tmp_path / "log.1", whole, half))] == [1]
    (tmp_path / "log.2").write_bytes(_HEAD[:7])
    assert list(read_file(tmp_path / "log.2")) == []


def test_damage_is_found(tmp_path: Path) -> None:
    """A wrong checksum, an unknown type, another file."""
    bad = bytearray(_entry(1, 2, _text("/a")))
    bad[-3] ^= 1
    with pytest.raises(LogError, match="checksum"):
        list(read_file(_log(tmp_path / "log.1", bytes(bad))))
    with pytest.raises(LogError, match="unknown type"):
        list(read_file(_log(tmp_path / "log.2", _entry(1, 77, b""))))
    with pytest.raises(LogError, match="cannot be read"):
        list(read_file(_log(tmp_path / "log.3", _entry(1, 1, b"\0\0\1\0"))))
    (tmp_path / "log.4").write_bytes(b"something else entirely")
    with pytest.raises(LogError, match="not a transaction log"):
        list(read_file(tmp_path / "log.4"))


def _txns(*zxids: int) -> dict[int, Txn]:
    return {zxid: Txn(zxid, 0.0, _SESSION) for zxid in zxids}


def _zxids(found: Sequence[Txn]) -> list[int]:
    return [one.zxid for one in found]


def test_what_most_servers_logged_is_what_happened() -> None:
    """A proposal of a leader that was deposed stays in its own log alone."""
    first, second = 1 << 32, 2 << 32
    logs = [
        _txns(first + 1, first + 2, first + 3),
        _txns(first + 1, first + 2, second + 1),
        _txns(first + 2, first + 1, second + 1),
    ]

    assert _zxids(committed(logs)) == [first + 1, first + 2, second + 1]


@pytest.mark.parametrize("zxids", [(1, 3), (2, 3), (1, 2, (1 << 32) + 2)])
def test_a_gap_is_found(zxids: tuple[int, ...]) -> None:
    """A log that lost its beginning, its middle, or the first of an epoch judges nothing."""
    with pytest.raises(LogError, match="missing between"):
        committed([_txns(*zxids)])
