"""Telling programs why a command of ours ends with a code that is not the machine's."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

import click

from remuda.cli.errors import PlainCommand
from requestor.commands.ending import EndedError
from requestor.errors import RequestFailedError, RequestTimeoutError

_FAILED: Final = "failed"


class Teller(Protocol):
    """The part of a reporter that is needed here."""

    def tell(self, event: str, sentence: str, /, **facts: Any) -> None:
        """See :class:`requestor.commands.streams.RunReporter`."""


@contextmanager
def telling_failures(teller: Teller) -> Iterator[None]:
    """Tell of every failure that is not the machine's own, and pass it on.

    Which those are, and their sentences and codes, is the command's own knowledge.
    """
    try:
        yield
    except EndedError as ended:
        name = signal.Signals(ended.number).name
        _tell(teller, 128 + ended.number, f"ended by {name}")
        raise
    except click.ClickException as error:
        _tell(teller, error.exit_code, error.format_message())
        raise
    except Exception as error:
        command = click.get_current_context().command
        failure = command.failure(error) if isinstance(command, PlainCommand) else None
        if failure is not None:
            _tell(teller, failure.exit_code, failure.message, **_verdicts(error))
        raise


def is_failure(line: bytes) -> bool:
    """Whether *line*, of somebody's output, tells of a failure."""
    try:
        doc = json.loads(line)
    except ValueError:
        return False
    return isinstance(doc, dict) and doc.get("event") == _FAILED


def _verdicts(error: Exception) -> dict[str, Any]:
    if not isinstance(error, RequestFailedError | RequestTimeoutError):
        return {}
    known = error.explanation.as_json()
    return {"request": known["request"], "verdicts": known["verdicts"]}


def _tell(
    teller: Teller, code: int, why: str, request: str | None = None, verdicts: Any = ()
) -> None:
    teller.tell(_FAILED, "", code=code, why=why, request=request, verdicts=list(verdicts))
