"""Telling programs why `remuda run` ends with a code that is not the command's."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from remuda.cli.failing import CommandFailedError
from remuda.store.api import StoreError
from requestor.commands.ending import EndedError, RequestorCommand
from requestor.commands.streams import Reporter
from requestor.errors import RequestFailedError, RequestorError, RequestTimeoutError


@contextmanager
def telling_failures(reporter: Reporter) -> Iterator[None]:
    """Tell of every failure that is not the command's own, and pass it on."""
    try:
        yield
    except EndedError as ended:
        name = signal.Signals(ended.number).name
        _tell(reporter, 128 + ended.number, f"ended by {name}")
        raise
    except CommandFailedError as error:
        _tell(reporter, error.exit_code, error.message)
        raise
    except (RequestFailedError, RequestTimeoutError) as error:
        known = error.explanation.as_json()
        _tell(reporter, _code(error), str(error), known["request"], known["verdicts"])
        raise
    except (RequestorError, StoreError) as error:
        _tell(reporter, _code(error), str(error))
        raise


def _tell(
    reporter: Reporter, code: int, why: str, request: str | None = None, verdicts: Any = ()
) -> None:
    reporter.tell("failed", "", code=code, why=why, request=request, verdicts=list(verdicts))


def _code(error: Exception) -> int:
    """Return the exit code that the command will have."""
    command = click.get_current_context().command
    return command.explain_error(error).exit_code if isinstance(command, RequestorCommand) else 1
