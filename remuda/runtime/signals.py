"""Signals become events: stop, reload, and the stacks of all threads in the log.

A Python signal handler runs between two instructions of the main thread, which may at that
moment hold the very lock that the handler wants; and what a handler raises may come out between
the taking of a lock and the block that would release it (``threading.Condition`` is one that is
then locked for ever). So the handlers here do nothing: the interpreter writes the signal's number
into a socket, and a thread of ours reads it and acts.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType
from typing import Final, NoReturn, Self

from remuda import logs
from remuda.runtime.clock import Clock, SystemClock

STOP: Final = (signal.SIGTERM, signal.SIGINT)
RELOAD: Final = signal.SIGHUP
STACKS: Final = signal.SIGUSR2
#: The same signal within this is the same word: timeout(1) tells a process, then its whole group.
ECHO_S: Final = 0.2


def _nobody() -> None:
    """Wake nobody."""


def _leave(number: int) -> NoReturn:
    """End the process with the code that a shell gives to one that a signal has ended."""
    os._exit(128 + number)


def pass_by(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the wake-up socket has the number already."""


class SignalReader:
    """Tells a thread of its own of signals. Use as a context manager in the main thread.

    Args:
        heard: The signals that are heard; in the main thread :func:`pass_by` runs for them.
        act: Called with the number of each of these signals, in the reader's thread.
    """

    def __init__(self, heard: Iterable[signal.Signals], act: Callable[[int], None]) -> None:
        self._heard = frozenset(heard)
        self._act = act
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Install the handlers.

        Raises:
            ValueError: If this is not the main thread of the process.
        """
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)  # noqa: FBT003 - a full buffer must not stop the interpreter
        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        reader = threading.Thread(target=self._read, args=(ours,), name="signals", daemon=True)
        reader.start()
        # Undone in reverse: handlers first, then the socket, whose end ends the reader.
        self._undo.callback(ours.close)
        self._undo.callback(reader.join)
        self._undo.callback(theirs.close)
        self._undo.callback(signal.set_wakeup_fd, before)
        for number in self._heard:
            self._undo.callback(signal.signal, number, signal.signal(number, pass_by))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put back the handlers that were there before."""
        self._undo.close()

    def _read(self, ours: socket.socket) -> None:
        while numbers := ours.recv(64):
            for number in numbers:
                # The interpreter writes the number of every signal that anybody handles.
                if number in self._heard:
                    self._act(number)


class Signals:
    """SIGTERM and SIGINT set *stop*, SIGHUP sets *reload*, SIGUSR2 logs all stacks.

    Use as a context manager in the main thread; leaving it puts back what was there before.
    The second SIGTERM or SIGINT of a kind ends the process on the spot, unless it is an echo of
    the first: one that hangs while it stops can still be stopped (all are made to survive that).

    Attributes:
        stop: Set once the process is to end.
        reload: Set when the configuration is to be read again; whoever does so clears it.
    """

    def __init__(
        self,
        *,
        wake: Callable[[], None] = _nobody,
        leave: Callable[[int], object] = _leave,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            wake: Called, in another thread, after either event was set: to wake an inbox.
            leave: Ends the process; gets the number of the signal.
            clock: Tells an echo of a signal from somebody who insists.
        """
        self.stop = threading.Event()
        self.reload = threading.Event()
        self._wake = wake
        self._leave = leave
        self._clock = SystemClock() if clock is None else clock
        self._asked_s: dict[int, float] = {}
        self._log = logs.get_logger()
        self._reader = SignalReader((*STOP, RELOAD, STACKS), self._act)

    def __enter__(self) -> Self:
        """Install the handlers.

        Raises:
            ValueError: If this is not the main thread of the process.
        """
        self._reader.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Put back the handlers that were there before."""
        self._reader.__exit__(kind, error, trace)

    def _act(self, number: int) -> None:
        name = signal.Signals(number).name
        if number in STOP:
            self._asked(number, name)
        elif number == RELOAD:
            self._log.info("config.reload", cause=name)
            self.reload.set()
            self._wake()
        elif number == STACKS:
            for thread, stack in thread_stacks().items():
                self._log.warning("thread.stack", thread=thread, cause=name, stack=stack)

    def _asked(self, number: int, name: str) -> None:
        """Stop; or, for somebody who insists, end here: the main thread may never come back."""
        now_s = self._clock.monotonic_s()
        if number not in self._asked_s:
            self._asked_s[number] = now_s
            self._log.info("process.stopping", cause=name)
            self.stop.set()
            self._wake()
        elif now_s >= self._asked_s[number] + ECHO_S:
            self._log.warning("process.cut-short", cause=name, why="asked twice")
            self._leave(number)


def thread_stacks() -> dict[str, str]:
    """Return what every thread is doing right now, by thread name and id."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return {
        f"{names.get(ident, 'foreign')}-{ident}": "".join(traceback.format_stack(frame))
        for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way
    }
