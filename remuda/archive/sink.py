"""Where an archive goes: a folder, an object store, or what a test has instead."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol


class SinkError(Exception):
    """One file was not stored; one sentence, without secrets and without signed addresses.

    Attributes:
        final: No other file will fare better: the disk is full, we have no right, nobody is there.
        own: It is the file's own fault, as of a name that is none here: it says nothing of others.
    """

    def __init__(self, why: str, *, final: bool = False, own: bool = False) -> None:
        super().__init__(why)
        self.final = final
        self.own = own


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is said of a stored file.

    Attributes:
        media_type: As browsers know it.
        encoding: ``gzip`` if *size* bytes of that are stored, else None.
        size: How many bytes are stored.
    """

    media_type: str
    encoding: str | None
    size: int


class ArchiveSink(Protocol):
    """One archive's place. :meth:`store` is called by several threads at once."""

    @property
    def place(self) -> str:
        """Where it is, for people and logs: no secrets, nothing signed."""

    @property
    def gzips(self) -> bool:
        """Whether readers get a text back that was stored compressed."""

    @property
    def threads(self) -> int:
        """How many files are best stored at once."""

    def store(self, name: str, body: BinaryIO, content: Content, *, by_s: float) -> None:
        """Store a file, whole or not at all.

        Args:
            name: Below the root of the archive; safe (``names.py``), and never the same twice.
            body: Read from its begin; may be rewound for a second try.
            content: Its size, and what it is.
            by_s: Give up then, by the monotonic clock.

        Raises:
            SinkError: It is not there.
        """

    def address(self, name: str) -> str:
        """Return where people find a stored file: may be signed, so it is told and never logged.

        Raises:
            SinkError: Nobody can say.
        """
