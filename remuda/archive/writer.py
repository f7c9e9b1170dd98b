"""Writes an archive: trees go in as streams, an index and a manifest come last."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.contents import INDEX, MANIFEST, ArchivedFile, Contents, FullError, said
from remuda.archive.names import BadNameError, safe_name
from remuda.archive.pages import index_pages, manifest
from remuda.archive.sink import ArchiveSink, SinkError
from remuda.archive.storing import SpooledFile, Storing, new_spool, spool
from remuda.archive.trees import LeftOut, Tree, TreeError, TreeFile, TreeLink, UnreadableError
from remuda.redaction import redact
from remuda.runtime.clock import Clock, SystemClock
from remuda.visible import visible

#: The index and the manifest of an archive that used up its time get so much more.
GRACE_S: Final = 30.0


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What became of an archive.

    Attributes:
        url: Where people find it; may be signed, so it is for whoever asked, and never for a log.
            None: there is nothing to be found.
        place: Where it is, without secrets.
        files, bytes: What is in it, index and manifest not counted.
        failed: How many files were read, and are not in it.
        left_out: How many things are not meant to be in an archive: devices, links that leave…
        why: Why it is not complete, the first reason; empty if it is.
    """

    url: str | None
    place: str
    files: int
    bytes: int
    failed: int
    left_out: int
    why: str


class Archive:
    """One archive that is being written. Thread-safe: several trees may go in at once.

    A context; left without :meth:`finish`, it has neither index nor manifest.

    Args:
        sink: Where it goes.
        bounds: Where it ends at the latest.
        title: Of its pages.
        about: Said in the manifest, and its `job`, `label`, `nodes` and `code` in the index, too;
            secrets are masked.
        clock: The time.
        stopped: Asked while a tree is read: True ends the archive.
    """

    def __init__(
        self,
        sink: ArchiveSink,
        *,
        bounds: ArchiveBounds | None = None,
        title: str = "Archive",
        about: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
        stopped: Callable[[], bool] = _never,
    ) -> None:
        self._sink = sink
        self._bounds = bounds or ArchiveBounds()
        self._title = visible(title)
        self._about = {key: redact(key, value) for key, value in (about or {}).items()}
        self._clock = clock or SystemClock()
        self._stopped = stopped
        self._ends_s = self._clock.monotonic_s() + self._bounds.seconds
        self._contents = Contents(self._bounds)
        self._books = threading.Lock()
        self._own: set[str] = set()
        self._storing = Storing(
            sink,
            self._clock,
            ends_s=self._ends_s,
            stored=self._on_stored,
            failed=self._on_failed,
            stopped=stopped,
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End its threads."""
        self._storing.close()

    @property
    def rest_s(self) -> float:
        """How much time is left for reading."""
        return max(0.0, self._ends_s - self._clock.monotonic_s())

    def put(self, tree: Tree, under: str = "") -> None:
        """Take a tree in; what is wrong with it is noted, and told in the end.

        Args:
            tree: Read once, to its end, to a bound, or to where it breaks off.
            under: The folder of the archive that it goes to.

        Raises:
            ValueError: *under* is no name of a folder.
        """
        try:
            folder = safe_name(under) if under else ""
        except BadNameError as error:
            raise ValueError(f"{under!r}: {error}") from error
        try:
            for entry in tree:
                self._check()
                self._take(folder, entry)
        except (TreeError, FullError) as error:
            self.end(str(error))

    def end(self, why: str) -> None:
        """Note that something is missing that should have been put in."""
        with self._books:
            self._contents.end(why)

    def finish(self) -> Archived:
        """Wait until all is stored, add the index and the manifest, and say what is there."""
        self._storing.wait()
        contents = self._contents
        with self._books:
            contents.settle_links()
            if self._storing.given_up:
                contents.end(self._storing.given_up)
        if not self._storing.given_up and not self._stopped():
            self._storing.ends_s = max(self._ends_s, self._clock.monotonic_s()) + GRACE_S
            self._add_pages()
        self._storing.close()
        with self._books:
            return Archived(
                url=self._address(),
                place=self._sink.place,
                files=len(contents.files),
                bytes=sum(one.bytes for one in contents.files),
                failed=contents.failed_count,
                left_out=contents.left_out_count,
                why=self._why(),
            )

    def _add_pages(self) -> None:
        with self._books:
            now_s = self._clock.now_s()
            pages = index_pages(self._contents, self._title, self._about, now_s)
            told = manifest(self._contents, self._about, now_s)
            parts: Iterable[tuple[str, Iterator[bytes]]] = (*pages, (MANIFEST, told))
        for name, pieces in parts:
            self._own.add(name)
            self._storing.give(spool(name, pieces))
        self._storing.wait()

    def _address(self) -> str | None:
        there = self._contents.taken | self._own
        for name in (INDEX, MANIFEST):
            if name not in there:
                continue
            try:
                return self._sink.address(name)
            except SinkError as error:
                self._contents.end(str(error))
                return None
        return None

    def _why(self) -> str:
        contents = self._contents
        if contents.cut:
            return contents.cut
        if contents.failed:
            first = contents.failed[0]
            return f"{first.name}: {first.why}"
        return ""

    def _check(self) -> None:
        """Look whether anything more is to be read.

        Raises:
            FullError: If not.
        """
        if self._storing.given_up:
            raise FullError(self._storing.given_up)
        if self._stopped():
            raise FullError("it was stopped")
        if self._clock.monotonic_s() >= self._ends_s:
            raise FullError(f"it takes more than {self._bounds.seconds:g} s")

    def _take(self, folder: str, entry: TreeFile | TreeLink | LeftOut) -> None:
        contents = self._contents
        try:
            if isinstance(entry, TreeFile):
                with self._books:
                    name = contents.take(folder, entry.name)
                self._read(name, entry)
                return
            with self._books:
                if isinstance(entry, TreeLink):
                    contents.link(folder, entry.name, entry.target)
                else:
                    contents.leave_out(folder, entry.name, entry.why)
                    if entry.wanted:
                        contents.end(f"{entry.name}: {entry.why}")
        except BadNameError as error:
            with self._books:
                contents.leave_out(folder, entry.name, str(error))

    def _read(self, name: str, file: TreeFile) -> None:
        """Read a file to its end, and have it stored.

        Raises:
            FullError: It is beyond a bound.
            TreeError: It breaks off. Neither is kept.
        """
        body, size = new_spool(), 0
        try:
            for piece in file.pieces:
                self._check()
                with self._books:
                    self._contents.count(len(piece))
                body.write(piece)
                size += len(piece)
        except UnreadableError as error:
            self._drop(name, body, str(error))
            return
        except OSError as error:  # our own disk
            self._drop(name, body, "there was no room to read it")
            raise FullError(f"temporary files: {error.strerror or error}") from error
        except BaseException:
            self._drop(name, body, "it was not read to its end")
            raise
        whole = SpooledFile(name=name, body=body, size=size, modified_s=file.modified_s)
        self._storing.give(whole)

    def _drop(self, name: str, body: BinaryIO, why: str) -> None:
        body.close()
        with self._books:
            self._contents.drop(name)
            self._contents.leave_out("", name, why)

    def _on_stored(self, file: ArchivedFile) -> None:
        with self._books:
            if file.name not in self._own:
                self._contents.files.append(file)

    def _on_failed(self, name: str, why: str) -> None:
        with self._books:
            if name in self._own:
                self._own.discard(name)
                self._contents.end(f"{name}: {said(why)}")
                return
            self._contents.drop(name)
            self._contents.fail(name, why)
