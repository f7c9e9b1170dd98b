"""The terminal of a person, while a command on a machine has it."""

import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import BinaryIO


@dataclass(slots=True)
class Terminal:
    """A local terminal in raw mode: keys go to the machine one by one, Ctrl-C included.

    Attributes:
        kind: What ``TERM`` says.
        on_resize: Called when the window changes its size; set by who shows something in it.
    """

    number: int
    kind: str = "xterm"
    on_resize: Callable[[], None] = field(default=lambda: None)

    def size(self) -> tuple[int, int]:
        """Return columns and lines."""
        columns, lines = os.get_terminal_size(self.number)
        return columns, lines


@contextmanager
def raw_terminal(stream: BinaryIO | None = None) -> Iterator[Terminal | None]:
    """Put the terminal of *stream* (standard input) into raw mode until the block ends.

    Yields None if it is no terminal: then nothing is changed.
    """
    number = (stream or sys.stdin.buffer).fileno()
    if not os.isatty(number):
        yield None
        return
    terminal = Terminal(number, os.environ.get("TERM", "xterm"))
    before = termios.tcgetattr(number)
    with _resizes_told(terminal):
        try:
            tty.setraw(number)
            yield terminal
        finally:
            termios.tcsetattr(number, termios.TCSADRAIN, before)


@contextmanager
def _resizes_told(terminal: Terminal) -> Iterator[None]:
    """Call the terminal's hook on SIGWINCH; only the main thread may ask for signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(number: int, frame: FrameType | None) -> None:
        del number, frame
        terminal.on_resize()

    before = signal.signal(signal.SIGWINCH, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
