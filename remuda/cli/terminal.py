"""The one way from a command to the terminal, for everything but a job's own output.

What commands print comes out of records, clouds and files: nothing of it may steer the terminal
(:mod:`remuda.visible`). tests/test_tidy.py sees to it that nobody prints past this module.
"""

import logging
import os
import sys
import traceback
from types import TracebackType
from typing import IO, Any, Final

import click

from remuda.redaction import redact_text
from remuda.visible import visible, visible_lines

#: Standard input, output and error.
_STREAMS: Final = 3


def say(text: str, *, err: bool = False, nl: bool = True, file: IO[Any] | None = None) -> None:
    """Print *text*: its lines and tabs as they are, everything else that steers written out."""
    click.echo(visible_lines(text), err=err, nl=nl, file=file)


def say_title(text: str) -> None:
    """Print a line that stands out, if this is a terminal."""
    click.secho(visible_lines(text), bold=True)


def confirm_or_abort(question: str) -> None:
    """Ask whether to go on.

    Raises:
        click.Abort: If the answer is no.
    """
    click.confirm(visible(question), abort=True, err=True)


def say_crash() -> None:
    """Print the traceback of what is being handled: our own bug, with texts that are not ours."""
    say(redact_text(traceback.format_exc()), err=True, nl=False)


def open_closed_streams() -> None:
    """Have standard streams that came closed lead nowhere, as ``>/dev/null`` would.

    Python sets them to None, which no library expects; and the next files and connections would
    get their numbers, so that whatever writes to standard error wrote into ZooKeeper's connection.
    """
    while (found := os.open(os.devnull, os.O_RDWR)) < _STREAMS:
        os.set_inheritable(found, True)  # noqa: FBT003 - also for what we start
    os.close(found)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - lives as long as we
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def guard_terminal() -> None:
    """Have what Python prints by itself pass here: uncaught errors, and logs that nobody set up."""
    sys.excepthook = _crashed
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(_Safe())
    logging.lastResort = handler


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    say(redact_text(text), err=True, nl=False)


class _Safe(logging.Formatter):
    """Formats as the standard library would, and lets nothing through that steers or is secret."""

    def format(self, record: logging.LogRecord) -> str:
        return visible_lines(redact_text(super().format(record)))
