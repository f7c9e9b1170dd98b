"""Hands bytes from one thread to another, a few at a time: who is faster waits."""

import threading
from collections import deque
from typing import Final

#: So much is held at most, and a piece more.
HELD_BYTES: Final = 1024 * 1024


class BytePipe:
    """Written by one thread as a stream, read by another. Either side may end it."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._closed = False
        self._abandoned = False

    def write(self, data: bytes, /) -> None:
        """Pass *data* on, when there is room.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        with self._turn:
            while self._held >= HELD_BYTES and not self._abandoned:
                self._turn.wait()
            if self._abandoned:
                raise BrokenPipeError("nobody reads any more")
            self._pieces.append(data)
            self._held += len(data)
            if len(self._pieces) == 1:
                self._turn.notify_all()

    def flush(self) -> None:
        """Do nothing: what is written can be read at once."""

    def close(self) -> None:
        """Say that no more comes."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def abandon(self) -> None:
        """Say that nobody reads any more."""
        with self._turn:
            self._abandoned = True
            self._pieces.clear()
            self._turn.notify_all()

    def read(self) -> bytes:
        """Return all that is there, and wait for something; empty at the end."""
        with self._turn:
            while not self._pieces and not self._closed:
                self._turn.wait()
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self._held = 0
            self._turn.notify_all()
            return data
