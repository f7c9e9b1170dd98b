"""The end of what a machine prints, fit for records and logs."""

from collections import deque
from typing import Final

from remuda.redaction import MARGIN, redact_end, redact_text

#: How much of a last line goes into the sentence that says why something failed.
LAST_LINE_CHARS_MAX: Final = 300


class Tail:
    """Keeps the end of a stream of bytes, and a little more: the cut must not halve a secret."""

    def __init__(self, bytes_max: int) -> None:
        """Keep at most *bytes_max*."""
        self._bytes_max = bytes_max
        self._parts: deque[bytes] = deque()
        self._held = 0
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take *data* and forget what is too old."""
        self._parts.append(data)
        self._held += len(data)
        self.total += len(data)
        while self._held - len(self._parts[0]) >= self._bytes_max + MARGIN:
            self._held -= len(self._parts.popleft())

    def text(self) -> str:
        """Return the end as text, beginning with a note if something was left out."""
        seen = b"".join(self._parts)[-self._bytes_max - MARGIN :]
        kept = _decoded(seen[-self._bytes_max :])
        if self.total <= self._bytes_max:
            return kept
        note = f"[{self.total - self._bytes_max} bytes left out]\n"
        return note + redact_end(_decoded(seen), len(kept))


def last_line(text: str) -> str:
    """Return the beginning of the last line that says something, for a sentence; or nothing.

    Secrets are masked before lines and pieces are cut: nobody would know half of one.
    """
    lines = (line.strip() for line in reversed(redact_text(text).splitlines()))
    return next((line for line in lines if line), "")[:LAST_LINE_CHARS_MAX]


def _decoded(data: bytes) -> str:
    return data.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
