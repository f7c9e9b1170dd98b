"""How these commands end: their errors as sentences, and signals with everything given back."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NoReturn, Self

import click

from remuda.cli.errors import (
    EXIT_FAILED,
    EXIT_LOST,
    EXIT_MISTAKE,
    EXIT_TIMEOUT,
    CommandFailedError,
    MistakeError,
    PlainCommand,
)
from remuda.runtime.clock import Clock, SystemClock
from remuda.runtime.signals import ECHO_S, SignalReader
from remuda.ssh.errors import KeySourceError, SshError
from requestor.errors import (
    CaptureFailedError,
    CaptureTimeoutError,
    HoldRefusedError,
    InvalidOptionsError,
    KeyRefusedError,
    NodesLostError,
    PromiseBrokenError,
    RequestFailedError,
    RequestGoneError,
    RequestorError,
    RequestTimeoutError,
)

#: As ssh does when the connection, not the command, is the trouble.
EXIT_SSH: Final = 255
#: So long may giving back take after a signal; then the end of the session has to do it.
GRACE_S: Final = 5.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_META: Final = "remuda.ending"
_SHOW_CURSOR: Final = "\x1b[?25h"
_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (RequestFailedError, EXIT_FAILED),
    (CaptureFailedError, EXIT_FAILED),
    (KeyRefusedError, EXIT_MISTAKE),
    (KeySourceError, EXIT_MISTAKE),
    (CaptureTimeoutError, EXIT_TIMEOUT),
    (PromiseBrokenError, EXIT_FAILED),
    (RequestTimeoutError, EXIT_TIMEOUT),
    (NodesLostError, EXIT_LOST),
    (RequestGoneError, EXIT_LOST),
    (SshError, EXIT_SSH),
    (RequestorError, 1),
)


class EndedError(KeyboardInterrupt):
    """A signal asked the process to end; like Ctrl-C, it unwinds everything on its way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _leave(number: int, why: str) -> NoReturn:
    """End the process on the spot."""
    if why:
        shown = _SHOW_CURSOR if sys.stderr.isatty() else ""
        os.write(2, f"{shown}remuda: {why}\n".encode())
    os._exit(128 + number)


class Ending:
    """Lets signals end a command, at a moment that suits it, but soon.

    While there is nothing to lose a signal ends the process at once. After :meth:`hold_off` the
    first one asks: whoever waits is woken, and :meth:`check` raises. A second one, or the end of
    the grace time, ends the process wherever it is: machines and requests then go with the
    ZooKeeper session. Signals that are ignored (nohup, a shell's background) stay ignored.

    A context for the main thread, elsewhere without effect; leaving it raises EndedError once a
    signal has asked, whatever else went wrong on the way out.

    Args:
        grace_s: How long the way out may take.
        leave: Ends the process; gets the signal's number and a sentence or nothing.
        clock: Tells an echo of a signal from somebody who insists.
    """

    def __init__(
        self,
        *,
        grace_s: float = GRACE_S,
        leave: Callable[[int, str], object] = _leave,
        clock: Clock | None = None,
    ) -> None:
        self._grace_s = grace_s
        self._leave = leave
        self._clock = SystemClock() if clock is None else clock
        self._asked_s = 0.0
        self._lock = threading.Lock()  # no handler of ours raises or takes it: see SignalReader
        self._holding_off = False
        self._number: int | None = None
        self._wakes: list[Callable[[], object]] = []
        self._reader: SignalReader | None = None

    def __enter__(self) -> Self:
        """Listen."""
        if threading.current_thread() is threading.main_thread():
            heard = [one for one in _SIGNALS if signal.getsignal(one) is not signal.SIG_IGN]
            self._reader = SignalReader(heard, self._heard)
            self._reader.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening; but a process that was asked to end is watched until it has.

        Raises:
            EndedError: If a signal has asked.
        """
        self.check()
        self.close()

    def close(self) -> None:
        """Put back the handlers that were there before."""
        if self._reader is not None:
            self._reader.__exit__(None, None, None)

    @property
    def asked(self) -> bool:
        """Whether a signal has asked us to end."""
        return self._number is not None

    def check(self) -> None:
        """Raise EndedError if a signal has asked us to end."""
        if self._number is not None:
            raise EndedError(self._number)

    def hold_off(self) -> None:
        """From now on there is something to give back: a signal asks instead of ending."""
        with self._lock:
            self._holding_off = True

    def on_asked(self, wake: Callable[[], object]) -> None:
        """Call *wake*, on another thread, when a signal asks; at once if one has."""
        with self._lock:
            self._wakes.append(wake)
            asked = self.asked
        if asked:
            wake()

    def _heard(self, number: int) -> None:
        with self._lock:
            now_s, first = self._clock.monotonic_s(), self._number is None
            if number == self._number and now_s < self._asked_s + ECHO_S:
                return
            if not self._holding_off or not first:
                self._leave(number, "" if first else "asked twice; leaving at once")
                return
            self._number, self._asked_s = number, now_s
            wakes = tuple(self._wakes)
        why = f"giving back took more than {self._grace_s:g} s; it is left to the launcher"
        late = threading.Timer(self._grace_s, self._leave, (number, why))
        late.daemon = True
        late.start()
        # On a thread of their own: closing a connection may take long, and we must go on reading.
        waker = threading.Thread(target=_call_all, args=(wakes,), name="ending", daemon=True)
        waker.start()


def _call_all(wakes: tuple[Callable[[], object], ...]) -> None:
    for wake in wakes:
        wake()


class RequestorCommand(PlainCommand):
    """A command that knows the requestor's errors, and ends by signals as Ending says."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a signal ends it with 128 and the signal's number."""
        try:
            with Ending() as ending:
                ctx.meta[_META] = ending
                return super().invoke(ctx)
        except EndedError as ended:
            raise click.exceptions.Exit(128 + ended.number) from None

    def known_errors(self) -> tuple[type[Exception], ...]:
        """Return the errors that :meth:`explain_error` knows."""
        return (*super().known_errors(), RequestorError, SshError)

    def explain_error(self, error: Exception) -> CommandFailedError:
        """Return *error* as a sentence with an exit code."""
        if isinstance(error, HoldRefusedError) and error.silent:
            return CommandFailedError(str(error), EXIT_TIMEOUT)
        refused = isinstance(error, CaptureFailedError) and error.refused
        refused = refused or isinstance(error, HoldRefusedError)
        if refused or isinstance(error, InvalidOptionsError):
            return MistakeError(str(error))
        for kind, code in _CODES:
            if isinstance(error, kind):
                return CommandFailedError(str(error), code)
        return super().explain_error(error)


def this_ending() -> Ending:
    """Return the Ending of the command that is running."""
    ending: Ending = click.get_current_context().meta[_META]
    return ending
