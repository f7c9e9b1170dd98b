"""How these commands end: their errors as sentences, and signals as exceptions."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import click

from remuda.cli.failing import (
    EXIT_FAILED,
    EXIT_LOST,
    EXIT_TIMEOUT,
    CommandFailedError,
    MistakeError,
    PlainCommand,
)
from remuda.ssh.errors import SshError
from requestor.errors import (
    NodesLostError,
    PromiseBrokenError,
    RequestFailedError,
    RequestGoneError,
    RequestorError,
    RequestTimeoutError,
    WishError,
)

#: As ssh does when the connection, not the command, is the trouble.
EXIT_SSH: Final = 255
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (RequestFailedError, EXIT_FAILED),
    (PromiseBrokenError, EXIT_FAILED),
    (RequestTimeoutError, EXIT_TIMEOUT),
    (NodesLostError, EXIT_LOST),
    (RequestGoneError, EXIT_LOST),
    (SshError, EXIT_SSH),
)


class EndedError(KeyboardInterrupt):
    """A signal asks the process to end; like Ctrl-C, it unwinds everything on its way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class RequestorCommand(PlainCommand):
    """A command that knows the requestor's errors, too."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a signal ends it with 128 and the signal's number."""
        try:
            with ending_signals():
                return super().invoke(ctx)
        except EndedError as ended:
            raise click.exceptions.Exit(128 + ended.number) from None

    def known_errors(self) -> tuple[type[Exception], ...]:
        """Return the errors that :meth:`explain_error` knows."""
        return (*super().known_errors(), RequestorError, SshError)

    def explain_error(self, error: Exception) -> CommandFailedError:
        """Return *error* as a sentence with an exit code."""
        if isinstance(error, WishError):
            return MistakeError(str(error))
        for kind, code in _CODES:
            if isinstance(error, kind):
                return CommandFailedError(str(error), code)
        return super().explain_error(error)


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise EndedError in the main thread when a signal asks us to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        # Once is enough: what follows is giving back, which must not be cut short.
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise EndedError(number)

    before = {one: signal.signal(one, end) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
