"""Hashes, compresses and stores files on threads of its own, while the next ones are read."""

import hashlib
import tempfile
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from remuda.archive.contents import ArchivedFile
from remuda.archive.media import HEAD_BYTES, is_textual, media_type
from remuda.archive.sink import ArchiveSink, Content, SinkError
from remuda.archive.trees import PIECE_BYTES
from remuda.runtime.clock import Clock

#: Larger files wait on the disk. Twice as many as there are threads may wait, and each thread may
#: hold one, and the same compressed: with eight threads 16 MiB in all.
IN_MEMORY_BYTES: Final = 512 * 1024
#: How often who waits looks whether it is to stop.
_SLICE_S: Final = 0.5
#: So many threads at most, whatever a sink asks for.
THREADS_MAX: Final = 8
#: After so many failures, one after the other, nobody tries any more.
FAILURES_IN_A_ROW_MAX: Final = 10
#: Smaller texts are stored as they are.
GZIP_BYTES_MIN: Final = 512
#: Logs shrink to a sixth with it; a higher level halves the speed for a tenth less.
GZIP_LEVEL: Final = 1
_GZIP_FORMAT: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledFile:
    """A file that was read, and is to be stored."""

    name: str
    body: BinaryIO
    size: int
    modified_s: float | None = None


def new_spool() -> BinaryIO:
    """Return an empty file that is in memory while it is small, and never has a name."""
    return cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))


def spool(name: str, pieces: Iterable[bytes]) -> SpooledFile:
    """Return a file of ours."""
    body, size = new_spool(), 0
    for piece in pieces:
        size += len(piece)
        body.write(piece)
    return SpooledFile(name=name, body=body, size=size)


class Storing:
    """Threads that store what they are given; leaving :meth:`close` to nobody leaks them.

    Args:
        sink: Where to.
        clock: The time.
        ends_s: Nothing is begun after this, on the monotonic clock.
        stored: Called on one of the threads with each file that is there…
        failed: …and with the name of each that is not, and why.
        stopped: Asked about twice a second while somebody waits: True ends it.
    """

    def __init__(
        self,
        sink: ArchiveSink,
        clock: Clock,
        *,
        ends_s: float,
        stored: Callable[[ArchivedFile], object],
        failed: Callable[[str, str], object],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._sink = sink
        self._stopped = stopped
        self._clock = clock
        self._stored = stored
        self._failed = failed
        self._turn = threading.Condition()
        self._waiting: deque[SpooledFile] = deque()
        self._busy: set[str] = set()
        self._in_a_row = 0
        self._closed = False
        self.ends_s = ends_s
        self.given_up = ""
        count = max(1, min(sink.threads, THREADS_MAX))
        self._room = 2 * count
        # Daemons: one that hangs in a call must not keep the process.
        self._threads = tuple(
            threading.Thread(target=self._work, name=f"archive-{number}", daemon=True)
            for number in range(count)
        )
        for thread in self._threads:
            thread.start()

    def give(self, file: SpooledFile) -> None:
        """Have *file* stored; waits while enough others are, and not beyond the end."""
        with self._turn:
            while len(self._waiting) >= self._room and not self._over():
                self._turn.wait(self._rest_s())
            if not self._over():
                self._waiting.append(file)
                self._turn.notify_all()
                return
        file.body.close()
        self._failed(file.name, self._reason())

    def wait(self) -> None:
        """Wait until all is stored, or the end; what is not there then counts as failed."""
        with self._turn:
            while (self._waiting or self._busy) and not self._late():
                self._turn.wait(self._rest_s())
            late = [*self._busy, *(one.name for one in self._waiting)]
            for one in self._waiting:
                one.body.close()
            self._waiting.clear()
            self._busy.clear()  # who hangs has no say any more
        for name in late:
            self._failed(name, self._reason())

    def close(self) -> None:
        """Let the threads end; nobody waits for one that hangs."""
        with self._turn:
            self._closed = True
            for one in self._waiting:
                one.body.close()
            self._waiting.clear()
            self._turn.notify_all()

    def _over(self) -> bool:
        return bool(self.given_up) or self._closed or self._late()

    def _reason(self) -> str:
        return self.given_up or ("it was stopped" if self._stopped() else "the time is over")

    def _late(self) -> bool:
        return self._stopped() or self._clock.monotonic_s() >= self.ends_s

    def _rest_s(self) -> float:
        return max(0.0, min(_SLICE_S, self.ends_s - self._clock.monotonic_s()))

    def _work(self) -> None:
        while (file := self._next()) is not None:
            why, own = "", False
            try:
                with file.body:
                    told = self._store(file)
            except SinkError as error:
                why, final, own = str(error), error.final, error.own
            except OSError as error:  # our own disk
                why, final = error.strerror or str(error), False
            except BaseException:
                self._done(file.name, lambda: None, give_up="the archive was given up by a mistake")
                raise
            if why:
                self._fail(file.name, why, give_up=why if final else "", own=own)
            else:
                self._done(file.name, lambda told=told: self._stored(told))  # type: ignore[misc]

    def _next(self) -> SpooledFile | None:
        with self._turn:
            while not self._waiting and not self._closed:
                self._turn.wait()
            if not self._waiting:
                return None
            file = self._waiting.popleft()
            self._busy.add(file.name)
            self._turn.notify_all()
            return file

    def _fail(self, name: str, why: str, *, give_up: str, own: bool) -> None:
        with self._turn:
            self._in_a_row += 0 if own else 1
            if self._in_a_row >= FAILURES_IN_A_ROW_MAX:
                give_up = give_up or why
        self._done(name, lambda: self._failed(name, why), give_up=give_up)

    def _done(self, name: str, tell: Callable[[], object], *, give_up: str = "") -> None:
        """Take a file off the list, and tell of it unless :meth:`wait` has done so."""
        with self._turn:
            told = name not in self._busy
            self._busy.discard(name)
            if give_up:
                self.given_up = self.given_up or give_up
            if not told:
                tell()
            self._turn.notify_all()

    def _store(self, file: SpooledFile) -> ArchivedFile:
        if self._over():
            raise SinkError(self._reason())
        body = file.body
        digest, head = hashlib.sha256(), b""
        for piece in _read(body):
            head = head or piece[:HEAD_BYTES]
            digest.update(piece)
        kind = media_type(file.name, head)
        encoding, stored = None, file.size
        squeezed = None
        if self._sink.gzips and is_textual(kind) and file.size >= GZIP_BYTES_MIN:
            squeezed = _gzipped(body)
            stored = squeezed.tell()
            encoding = "gzip"
        with squeezed or body as out:
            out.seek(0)
            content = Content(media_type=kind, encoding=encoding, size=stored)
            self._sink.store(file.name, out, content, by_s=self.ends_s)
        with self._turn:
            self._in_a_row = 0
        return ArchivedFile(
            name=file.name,
            bytes=file.size,
            sha256=digest.hexdigest(),
            media_type=kind,
            encoding=encoding,
            stored_bytes=stored,
            modified_s=file.modified_s,
        )


def _read(body: BinaryIO) -> Iterator[bytes]:
    body.seek(0)
    while piece := body.read(PIECE_BYTES):
        yield piece


def _gzipped(body: BinaryIO) -> BinaryIO:
    """Return the same compressed; without a time, so that it is the same whenever it is made."""
    squeezer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_FORMAT)
    out = new_spool()
    for piece in _read(body):
        out.write(squeezer.compress(piece))
    out.write(squeezer.flush())
    return out
