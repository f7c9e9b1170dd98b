"""Tells what our program says from what an account says besides: before, after and beside it.

The stream of a command begins with whatever a ``.bashrc`` prints, and an account that executes
nothing says that in words of its own and may well end with exit code 0. So only what stands between
the two answers of the program counts (:mod:`remuda.ssh.wrapping`), and only the second one tells
how it ended.
"""

from collections.abc import Callable
from typing import Final

from remuda.ssh.tail import Tail
from remuda.ssh.wrapping import BEGUN, ENDED

#: The end of what an account says besides is kept: its last line may say why it did nothing.
NOISE_BYTES_MAX: Final = 2048
#: An exit code and the end of its line.
_CODE_BYTES_MAX: Final = 8


class Answers:
    """Takes a command's output as it comes, in pieces of any size.

    Attributes:
        begun: The first answer came: the account executes what we send.
        code: The exit code that the second answer told, or None.
        total: How many bytes came in all.
    """

    def __init__(self, nonce: str, take: Callable[[bytes], object]) -> None:
        """Pass on to *take* what stands between the answers."""
        self._first = f"{BEGUN}-{nonce}\n".encode()
        self._last = f"{ENDED}-{nonce} ".encode()
        self._take = take
        self._held = b""
        self._noise = Tail(NOISE_BYTES_MAX)
        self._closing = False
        self.begun = False
        self.code: int | None = None
        self.total = 0

    def add(self, data: bytes) -> None:
        """Take what came over the standard output."""
        self.total += len(data)
        self._held += data
        if not self.begun:
            self._await_first()
        if self.begun and not self._closing:
            self._await_last()
        if self._closing:
            self._read_code()

    def add_beside(self, data: bytes) -> None:
        """Take what came over standard error: our program says nothing there."""
        self.total += len(data)
        self._noise.add(data)

    def flush(self) -> None:
        """Pass on what was kept because it might have become an answer: nothing more comes."""
        if self.begun and not self._closing and self._held:
            self._take(self._held)
            self._held = b""

    def noise(self) -> str:
        """Return the end of what the account said besides."""
        if not self.begun and self._held:
            self._noise.add(self._held)
            self._held = b""
        return self._noise.text()

    def _await_first(self) -> None:
        before, found, rest = self._held.partition(self._first)
        if found:
            self.begun, self._held = True, rest
        else:
            before, self._held = _split(self._held, _may_go_on(self._held, self._first))
        if before:
            self._noise.add(before)

    def _await_last(self) -> None:
        before, found, rest = self._held.partition(self._last)
        if found:
            self._closing, self._held = True, rest
        else:
            before, self._held = _split(self._held, _may_go_on(self._held, self._last))
        if before:
            self._take(before)

    def _read_code(self) -> None:
        """Read the exit code; whatever comes after it, a process left behind says."""
        line, ended, _ = self._held.partition(b"\n")
        if self.code is None and ended and line.isdigit() and len(line) < _CODE_BYTES_MAX:
            self.code = int(line)
        self._held = b"" if ended else self._held[:_CODE_BYTES_MAX]


def _split(data: bytes, kept: int) -> tuple[bytes, bytes]:
    return data[: len(data) - kept], data[len(data) - kept :]


def _may_go_on(data: bytes, answer: bytes) -> int:
    """Return how many bytes at the end of *data* may be the beginning of *answer*."""
    most = min(len(data), len(answer) - 1)
    return next((n for n in range(most, 0, -1) if data.endswith(answer[:n])), 0)
