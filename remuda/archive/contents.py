"""What is in an archive, what is not, and why: the books of one that is being written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from remuda.archive.bounds import LEFT_OUT_NAMED_MAX, NAMES_BYTES_MAX, ArchiveBounds
from remuda.archive.names import NAME_BYTES_MAX, BadNameError, safe_name
from remuda.archive.trees import LeftOut
from remuda.redaction import redact_text
from remuda.visible import visible

MANIFEST: Final = "manifest.json"
INDEX: Final = "index.html"
#: As the kernel has it; more of them are a ring.
LINKS_IN_A_ROW_MAX: Final = 40
_WHY_CHARS_MAX: Final = 300


class FullError(Exception):
    """A bound is reached: the archive ends here, with what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """A file that is stored.

    Attributes:
        bytes: As it was read; *sha256* is of those.
        stored_bytes: Fewer if *encoding* says that it is compressed.
    """

    name: str
    bytes: int
    sha256: str
    media_type: str
    encoding: str | None
    stored_bytes: int
    modified_s: float | None


@dataclass(slots=True)
class Contents:
    """The books; the caller lets one thread in at a time.

    Attributes:
        taken: Names that are in use, stored or not yet.
        links: Targets by name.
        left_out: The first that were left out; *left_out_count* counts all.
        failed: The first that were not stored, and why; *failed_count* counts all.
        read_bytes: Of all files, those that failed included.
        cut: Why it ends before everything was read; empty if it does not.
    """

    bounds: ArchiveBounds
    files: list[ArchivedFile] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0
    failed: list[LeftOut] = field(default_factory=list)
    failed_count: int = 0
    read_bytes: int = 0
    cut: str = ""
    _names_bytes: int = 0

    def take(self, under: str, name: str) -> str:
        """Return under which name a file is stored, and see that no other gets it.

        Raises:
            BadNameError: It cannot be.
            FullError: There are enough.
        """
        whole = below(under, name)
        if whole.partition("/")[0] == MANIFEST:
            raise BadNameError("the archive's own manifest has this name")
        if whole in self.taken or whole in self.links:
            raise BadNameError("there is one of this name already")
        self._room_for(whole)
        self.taken.add(whole)
        return whole

    def link(self, under: str, name: str, target: str) -> None:
        """Note another name of a file.

        Raises:
            BadNameError: It cannot be told.
            FullError: There are enough.
        """
        whole = below(under, name)
        if whole in self.taken or whole in self.links:
            raise BadNameError("there is one of this name already")
        try:
            meant = below(under, target)
        except BadNameError:
            raise BadNameError("the link leads out of the folder") from None
        self._room_for(whole + meant)
        self.links[whole] = meant

    def count(self, size: int) -> None:
        """Count bytes that were read.

        Raises:
            FullError: There are enough.
        """
        if self.read_bytes + size > self.bounds.bytes_max:
            raise FullError(f"there are more than {self.bounds.bytes_max} bytes")
        self.read_bytes += size

    def leave_out(self, under: str, name: str, why: str) -> None:
        """Note what does not come in."""
        self.left_out_count += 1
        if len(self.left_out) < LEFT_OUT_NAMED_MAX:
            self.left_out.append(_noted(under, name, why))

    def drop(self, name: str) -> None:
        """Forget a name that was taken for what was not read to its end."""
        self.taken.discard(name)

    def fail(self, name: str, why: str) -> None:
        """Note what was not stored."""
        self.failed_count += 1
        if len(self.failed) < LEFT_OUT_NAMED_MAX:
            self.failed.append(_noted("", name, why))

    def end(self, why: str) -> None:
        """Note why it ends early; the first reason counts."""
        self.cut = self.cut or said(why)

    def settle_links(self) -> None:
        """Let links lead to files and folders, past other links; leave out those that do not."""
        folders = set(self.folders())
        settled: dict[str, str] = {}
        for name in self.links:
            target = self.links[name]
            for _ in range(LINKS_IN_A_ROW_MAX):
                target = self.links.get(target, target)
            if target in self.taken or target in folders:
                settled[name] = target
            else:
                self.leave_out("", name, "the link leads to nothing that is here")
        self.links = settled

    def folders(self) -> Iterator[str]:
        """Yield every folder that has something, the root as an empty text; some repeat."""
        yield ""
        for name in (*(one.name for one in self.files), *self.links):
            folder = name.rpartition("/")[0]
            while folder:
                yield folder
                folder = folder.rpartition("/")[0]

    def _room_for(self, name: str) -> None:
        if len(self.taken) + len(self.links) >= self.bounds.files_max:
            raise FullError(f"there are more than {self.bounds.files_max} files")
        self._names_bytes += len(name.encode())
        if self._names_bytes > NAMES_BYTES_MAX:
            raise FullError(f"the names of the files have more than {NAMES_BYTES_MAX} bytes")


def below(under: str, name: str) -> str:
    """Return a name of a tree as the archive has it, in the folder *under*.

    Raises:
        BadNameError: It leads out of that folder, or is none.
    """
    own = safe_name(name)
    whole = f"{under}/{own}" if under else own
    if len(whole.encode()) > NAME_BYTES_MAX:
        raise BadNameError("its name is too long")
    return whole


def said(why: str) -> str:
    """Return words of others as they are told: one line, bounded, without secrets."""
    return visible(redact_text(why[: 4 * _WHY_CHARS_MAX]))[:_WHY_CHARS_MAX]


def _noted(under: str, name: str, why: str) -> LeftOut:
    return LeftOut(name=said(f"{under}/{name}" if under else name), why=said(why))
