"""Tar streams, honest and forged: what is read of them, and that nothing grows."""

import io
import tarfile
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.tarheader import EXTENDED_BYTES_MAX
from remuda.archive.tarstream import TarStream
from remuda.archive.trees import LeftOut, TreeError, TreeFile, TreeLink
from remuda.archive.writer import Archive
from tests.fakes.archive_sink import FakeSink

_FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
_BOUNDS = ArchiveBounds(bytes_max=1 << 20, files_max=100)


def tar_of(*members: tarfile.TarInfo | tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    """Return a stream with files by name, and whatever else."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member, io.BytesIO(bytes(member.size)))
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            tar.addfile(info, io.BytesIO(member[1]))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """Return what is no ordinary file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def portions(data: bytes, size: int) -> Callable[[], bytes]:
    """Return what gives *data* in portions."""
    source = io.BytesIO(data)
    return lambda: source.read(size)


def read(data: bytes, size: int = 1000, bounds: ArchiveBounds = _BOUNDS) -> list[object]:
    """Return what is in a stream, files as pairs."""
    found: list[object] = []
    for entry in TarStream(portions(data, size), bounds):
        if isinstance(entry, TreeFile):
            found.append((entry.name, b"".join(entry.pieces)))
        else:
            found.append(entry)
    return found


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("size", [1, 511, 512, 513, 100_000])
def test_what_others_write_is_read(form: int, size: int) -> None:
    """In whatever portions it comes; folders are not told."""
    files = [("./a", b""), ("./b/c", b"x" * 512), ("d" * 90 + "/" + "e" * 90, b"y" * 1300)]

    assert read(tar_of(special("./b", tarfile.DIRTYPE), *files, form=form), size) == files


def test_long_names_and_odd_bytes() -> None:
    """GNU's and pax' ways; no byte is lost, none ends us."""
    name = "n" * 300
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        assert read(tar_of((name, b"1"), form=form)) == [(name, b"1")]
    odd = tar_of(("abc", b"1")).replace(b"abc", b"a\xffc")

    with pytest.raises(TreeError, match="no tar stream"):  # its checksum is wrong
        read(odd)


def test_what_is_no_file_is_left_out_or_told() -> None:
    """Devices, pipes, sparse files; links as links, unless they lead to the root."""
    tar = tar_of(
        special("dev", tarfile.CHRTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("sparse", b"S", size=700),
        special("what", b"Z", size=700),
        special("a/hard", tarfile.LNKTYPE, "b/first"),
        special("a/soft", tarfile.SYMTYPE, "../b/./c"),
        special("away", tarfile.SYMTYPE, "/etc/shadow"),
        special("out", tarfile.SYMTYPE, "../../x"),
        ("last", b"1"),
    )

    assert read(tar) == [
        LeftOut(name="dev", why="it is a device"),
        LeftOut(name="pipe", why="it is a pipe"),
        LeftOut(name="sparse", why="it is a sparse file"),
        LeftOut(name="what", why="it is of no kind that is known"),
        TreeLink(name="a/hard", target="b/first"),
        TreeLink(name="a/soft", target="b/c"),
        LeftOut(name="away", why="the link leads out of the folder"),
        TreeLink(name="out", target="../../x"),
        ("last", b"1"),
    ]


def test_what_nobody_reads_is_passed_over() -> None:
    """The next entry is where it should be."""
    stream = TarStream(portions(tar_of(("a", b"x" * 5000), ("b", b"")), 100), _BOUNDS)

    assert [entry.name for entry in stream] == ["a", "b"]


def test_pax_sparse_files_are_told_by_their_records() -> None:
    """Their content is a map and holes, and not the file."""
    info = special("x", tarfile.REGTYPE, size=10)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.name": "x"}

    assert read(tar_of(info, form=tarfile.PAX_FORMAT)) == [
        LeftOut(name="x", why="it is a sparse file")
    ]


def _header(kind: bytes, size: int) -> bytes:
    info = special("x", kind)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def endless(block: bytes) -> Callable[[], bytes]:
    """Return a machine that repeats itself for ever."""
    return lambda: block


@pytest.mark.parametrize(
    ("receive", "why"),
    [
        (endless(_header(b"0", 0)), "more headers than files"),
        (endless(_header(b"5", 0)), "more headers than files"),
        (endless(_header(b"0", 512) + bytes(512)), "there are more than 1048576 bytes"),
        (endless(_header(b"0", 1 << 50)), "there are more than"),
        (endless(_header(b"x", 1 << 40)), "an extended header"),
        (endless(_header(b"L", EXTENDED_BYTES_MAX + 1)), "an extended header"),
        (endless(_header(b"L", 512) + b"y" * 512), "header after header"),
        (endless(_header(b"x", 512) + b"9" * 512), "cannot be read"),
        (endless(b"\xff" * 512), "no tar stream"),
        (endless(b"Welcome to this machine!\n" * 30), "no tar stream|a number that is none"),
        (portions(b"", 1), "cut short"),
        (portions(tar_of(("a", b"x" * 5000))[:3000], 99), "cut short"),
        (portions(tar_of(("a", b"x" * 600))[: 512 + 1024], 99), "cut short"),
    ],
)
def test_forged_streams_end(receive: Callable[[], bytes], why: str) -> None:
    """Each by a bound, with a sentence."""
    with pytest.raises(TreeError, match=why):
        list(TarStream(receive, _BOUNDS))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_stream_does_more_than_break_off(data: st.DataObject) -> None:
    """Honest ones with bytes changed, put in and cut off."""
    raw = bytearray(
        tar_of(
            ("a/b", b"x" * 700),
            ("n" * 200, b"y"),
            special("l", tarfile.SYMTYPE, "a/b"),
            form=data.draw(st.sampled_from(_FORMS[1:])),
        )
    )
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=12))
    sink = FakeSink()

    with Archive(sink, bounds=_BOUNDS) as archive:
        archive.put(TarStream(portions(bytes(raw), 333), _BOUNDS), under="root")
        done = archive.finish()

    own = {"index.html", "manifest.json"}
    assert all(name in own or name.startswith("root/") for name in sink.stored)
    assert not any(".." in name.split("/") for name in sink.stored)
    assert done.failed == 0


@given(st.binary(max_size=3000))
@settings(max_examples=100, deadline=None)
def test_noise_is_no_tar(noise: bytes) -> None:
    """Nothing but a sentence comes of it, and nothing but the end of zeros."""

    def all_of() -> Iterator[object]:
        yield from TarStream(portions(noise, 100), _BOUNDS)

    if noise[:512] == bytes(512):
        assert list(all_of()) == []
        return
    with pytest.raises(TreeError):
        list(all_of())
