"""Reads a tar stream from a machine that may be hostile, as a tree: bounded, and with no disk."""

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.names import decoded
from remuda.archive.tarheader import (
    BLOCK,
    EXTENDED,
    EXTENDED_BYTES_MAX,
    FILE,
    FOLDER,
    HARD_LINK,
    KINDS,
    LONG_LINK,
    LONG_NAME,
    PAX,
    SYMLINK,
    ZEROS,
    BadTarError,
    TarHeader,
    padding,
    parse_header,
    parse_pax,
    with_pax,
)
from remuda.archive.trees import LeftOut, TreeEntry, TreeError, TreeFile, TreeLink

#: Headers for each file that may come, and for folders and the like besides.
_HEADERS_EACH: Final = 4
_HEADERS_FREE: Final = 10_000
#: In a row, before the header that they belong to.
_EXTENDED_MAX: Final = 4

#: Returns the next bytes, any number of them; empty at the end.
Receive = Callable[[], bytes]


class _Bytes:
    """What has come, in portions of the size that is wanted."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._have = b""
        self._at = 0

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield *size* bytes as they came.

        Raises:
            TreeError: There are fewer.
        """
        while size:
            if self._at == len(self._have):
                self._have, self._at = self._receive(), 0
                if not self._have:
                    raise TreeError("what the machine sends is cut short")
            end = min(self._at + size, len(self._have))
            whole = self._at == 0 and end == len(self._have)
            piece = self._have if whole else self._have[self._at : end]
            self._at = end
            size -= len(piece)
            yield piece

    def take(self, size: int) -> bytes:
        """Return *size* bytes, which the caller has bounded."""
        return b"".join(self.pieces(size))


class TarStream:
    """The tree in a tar stream; iterate once.

    Args:
        receive: Gives the stream.
        bounds: How much of it is read, what is left out included.

    Attributes:
        ended: The stream has come to its own end.
        empty: There was nothing in it, not even the folder that ``tar`` tells of an empty one.
    """

    def __init__(self, receive: Receive, bounds: ArchiveBounds) -> None:
        self._bytes = _Bytes(receive)
        self._headers = _HEADERS_EACH * bounds.files_max + _HEADERS_FREE
        self._bytes_max = bounds.bytes_max
        self._bytes_left = bounds.bytes_max
        self.ended = False
        self.empty = True

    def __iter__(self) -> Iterator[TreeEntry]:
        """Yield what is in the stream.

        Raises:
            TreeError: It breaks off, is no tar stream, or is beyond a bound.
        """
        while (header := self._header()) is not None:
            self.empty = False
            left = [header.size]
            if header.size > self._bytes_left:
                raise TreeError(f"there are more than {self._bytes_max} bytes")
            self._bytes_left -= header.size
            entry = _entry(header, self._content(left))
            if entry is not None:
                yield entry
            for _ in self._content(left):  # what nobody wanted
                pass
            self._bytes.take(padding(header.size))
        self.ended = True

    def _content(self, left: list[int]) -> Iterator[bytes]:
        for piece in self._bytes.pieces(left[0]):
            left[0] -= len(piece)
            yield piece

    def _header(self) -> TarHeader | None:
        """Return the next header with all that changes it; None at the end."""
        try:
            return self._whole_header()
        except BadTarError as error:
            raise TreeError(str(error)) from error

    def _whole_header(self) -> TarHeader | None:
        name = target = b""
        records: dict[bytes, bytes] = {}
        for _ in range(_EXTENDED_MAX + 1):
            block = self._block()
            if block == ZEROS:
                return None
            header = parse_header(block)
            if header.kind not in EXTENDED:
                header = with_pax(header, records)
                return replace(header, name=name or header.name, target=target or header.target)
            body = self._extended(header.size)
            if header.kind == PAX:
                records |= parse_pax(body)
            elif header.kind == LONG_NAME:
                name = body.partition(b"\x00")[0]
            elif header.kind == LONG_LINK:
                target = body.partition(b"\x00")[0]
        raise BadTarError("the tar stream has header after header, and no file")

    def _block(self) -> bytes:
        self._headers -= 1
        if self._headers < 0:
            raise BadTarError("the tar stream has more headers than files are allowed")
        return self._bytes.take(BLOCK)

    def _extended(self, size: int) -> bytes:
        if size > EXTENDED_BYTES_MAX:
            raise BadTarError(f"an extended header of the tar stream has {size} bytes")
        if size > self._bytes_left:
            raise TreeError(f"there are more than {self._bytes_max} bytes")
        self._bytes_left -= size
        return self._bytes.take(size + padding(size))[:size]


def _entry(header: TarHeader, content: Iterator[bytes]) -> TreeEntry | None:
    """Return what a header means; None of what an archive does not have to know."""
    name = decoded(header.name)
    if header.kind == FOLDER or (header.kind in FILE and name.endswith("/")):
        return None
    if header.kind in FILE:
        return TreeFile(name=name, pieces=content, modified_s=header.modified_s)
    target = decoded(header.target)
    if header.kind == HARD_LINK:
        return TreeLink(name=name, target=target)
    if header.kind == SYMLINK:
        if target.startswith("/"):
            return LeftOut(name=name, why="the link leads out of the folder")
        above = posixpath.dirname(posixpath.normpath(name))
        return TreeLink(name=name, target=posixpath.normpath(posixpath.join(above, target)))
    return LeftOut(name=name, why=KINDS.get(header.kind, "it is of no kind that is known"))
