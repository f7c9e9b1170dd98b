"""A place for an archive in memory, which fails when it is told to."""

import gzip
import threading
from collections.abc import Callable
from typing import BinaryIO, Final

from remuda.archive.sink import Content, SinkError


class FakeSink:
    """See ArchiveSink.

    Attributes:
        stored: What is there, unpacked, by name; *content* is what was said of it.
        fail: Returns why a file is not stored; may block.
    """

    place: Final = "memory"

    def __init__(
        self, *, gzips: bool = True, fail: Callable[[str], SinkError | None] | None = None
    ) -> None:
        """Begin empty."""
        self.gzips = gzips
        self.threads = 2
        self.stored: dict[str, bytes] = {}
        self.content: dict[str, Content] = {}
        self.fail = fail or (lambda _name: None)
        self._lock = threading.Lock()

    def store(self, name: str, body: BinaryIO, content: Content, *, by_s: float) -> None:
        """Keep it, or fail."""
        assert by_s
        if (error := self.fail(name)) is not None:
            raise error
        data = body.read()
        assert len(data) == content.size
        with self._lock:
            assert name not in self.stored
            self.stored[name] = gzip.decompress(data) if content.encoding == "gzip" else data
            self.content[name] = content

    def address(self, name: str) -> str:
        """Return one that looks signed."""
        return f"memory://{name}?temp_url_sig=0123456789"
