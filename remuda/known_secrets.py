"""The secrets that this process holds, so that no text that leaves it shows one of them.

Patterns find what looks like a secret; a password that a script prints by itself looks like
nothing. Whoever reads or makes a secret (clouds.yaml, tokens, our key file, host keys, ZooKeeper's
password, secrets within user data) says so here, and :mod:`remuda.redaction` masks it wherever it
turns up. The values never leave this module.
"""

import base64
import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

#: Shorter values are not masked: ``root`` and ``stack`` are words, too.
CHARS_MIN: Final = 8
#: Of a text of several lines, such as a private key, each line that is as long as this counts:
#: consoles put their own words between lines.
LINE_CHARS_MIN: Final = 16
#: Longer values are kept in pieces.
PIECE_CHARS_MAX: Final = 512
#: What one place may hold: more are no passwords, but somebody's data.
VALUES_MAX: Final = 4_096
#: How many places there may be; the configuration has fewer.
SOURCES_MAX: Final = 2_048
#: Of what is made all the time (tokens, host keys) so many values are remembered.
PASSING_MAX: Final = 8_192
#: Values with the same piece in the middle; honest ones have none in common.
_BUCKET_MAX: Final = 64
#: Passwords that are no secret, and whose masking would only make texts hard to read.
_TRIVIAL: Final = frozenset({"password", "passw0rd", "changeme", "openstack", "zookeeper"})


class KnownSecrets:
    """Values to mask; may be used by many threads. Prints none of them.

    A value is looked up by a piece of :data:`CHARS_MIN` characters out of its middle, so that
    masking costs the same however many values are known.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, ...]] = {}
        self._passing: deque[str] = deque()
        self._uses: dict[str, int] = {}
        self._index: dict[str, tuple[tuple[int, str], ...]] = {}

    def __len__(self) -> int:
        """Return how many values are looked for."""
        return len(self._uses)

    def __repr__(self) -> str:
        """Say how many there are, and no more."""
        return f"{type(self).__name__}({len(self._uses)} values)"

    def hold(self, source: str, values: Iterable[str]) -> None:
        """Mask *values*, instead of those that *source* has named before."""
        fresh = forms(values)
        with self._lock:
            if source not in self._held and len(self._held) >= SOURCES_MAX:
                self._drop(self._held.pop(next(iter(self._held))))
            before = self._held.get(source, ())
            self._held[source] = fresh
            self._add(fresh)
            self._drop(before)

    def note(self, values: Iterable[str]) -> None:
        """Mask *values* that are made and used up all the time; old ones are forgotten."""
        fresh = forms(values)
        with self._lock:
            self._passing.extend(fresh)
            self._add(fresh)
            self._drop([self._passing.popleft() for _ in range(len(self._passing) - PASSING_MAX)])

    def forget(self) -> None:
        """Forget everything, for tests: what one holds must not mask words of another."""
        with self._lock:
            for part in (self._held, self._passing, self._uses, self._index):
                part.clear()

    def mask(self, text: str, blank: str) -> str:
        """Return *text* with *blank* in the place of every known value."""
        spans = self._spans(text)
        if not spans:
            return text
        parts, end = [], 0
        for start, stop in sorted(spans):
            if start >= end:
                parts += [text[end:start], blank]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    def _spans(self, text: str) -> list[tuple[int, int]]:
        index, size = self._index, CHARS_MIN
        if not index or len(text) < size:
            return []
        hits = [at for at in range(len(text) - size + 1) if text[at : at + size] in index]
        return [
            (at - offset, at - offset + len(value))
            for at in hits
            for offset, value in index.get(text[at : at + size], ())
            if at >= offset and text.startswith(value, at - offset)
        ]

    def _add(self, values: Iterable[str]) -> None:
        for value in values:
            self._uses[value] = self._uses.get(value, 0) + 1
            if self._uses[value] == 1:
                offset, gram = _middle(value)
                bucket = self._index.get(gram, ())
                self._index[gram] = (*bucket[-_BUCKET_MAX + 1 :], (offset, value))

    def _drop(self, values: Iterable[str]) -> None:
        for value in values:
            self._uses[value] -= 1
            if self._uses[value] == 0:
                del self._uses[value]
                gram = _middle(value)[1]
                left = tuple(one for one in self._index.get(gram, ()) if one[1] != value)
                if left:
                    self._index[gram] = left
                else:
                    self._index.pop(gram, None)


def _middle(value: str) -> tuple[int, str]:
    offset = (len(value) - CHARS_MIN) // 2
    return offset, value[offset : offset + CHARS_MIN]


def forms(values: Iterable[str]) -> tuple[str, ...]:
    """Return what is to be looked for: the pieces of *values*, as they are and as they travel."""
    found: dict[str, None] = {}
    for value in values:
        pieces = tuple(_pieces(value))
        found |= dict.fromkeys(pieces)
        for piece in pieces if "\n" not in value else ():  # lines of keys travel as they are
            raw = piece.encode(errors="replace")
            coded = base64.b64encode(raw).decode().rstrip("=")
            found |= dict.fromkeys((json.dumps(piece)[1:-1], quote(raw, safe=""), coded))
        if len(found) >= VALUES_MAX:
            break
    return tuple(found)


def _pieces(value: str) -> Iterator[str]:
    lines = [line.strip() for line in value.strip().splitlines()]
    least = CHARS_MIN if len(lines) == 1 else LINE_CHARS_MIN
    for line in lines:
        if len(line) < least or line.startswith("-----") or line.lower() in _TRIVIAL:
            continue
        for start in range(0, len(line), PIECE_CHARS_MAX):
            piece = line[start : start + PIECE_CHARS_MAX]
            if len(piece) >= CHARS_MIN:
                yield piece


#: The secrets of this process. One for all of it, as its logs are: whatever leaves the process
#: has to pass it, whoever wrote the text.
KNOWN: Final = KnownSecrets()
