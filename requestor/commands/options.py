"""Options that the commands share."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.model.job import job_variables
from requestor.context import default_requestor
from requestor.request_options import COUNT_DIGITS_MAX

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How to ask; the options of :func:`asking_options` as one value."""

    provider: str | None
    priority: str
    relative_priority: int
    requestor: str | None
    tenant: str | None
    fresh: bool
    wait_s: float | None

    def as_arguments(self) -> dict[str, Any]:
        """Return the arguments of :meth:`requestor.Client.request`."""
        return {
            "provider": self.provider,
            "priority": self.priority,
            "relative_priority": self.relative_priority,
            "requestor": self.requestor,
            "tenant": self.tenant,
            "reuse": not self.fresh,
            "deadline_s": self.wait_s,
            "data": job_variables(os.environ),
        }


_ASKING: Final = (
    click.option("--provider", metavar="NAME", help="Prefer this provider."),
    click.option(
        "--priority",
        default="normal",
        show_default=True,
        help="high, normal, low, or a number from 0 (first) to 999.",
    ),
    click.option("--relative-priority", default=0, type=int, help="Order within the priority."),
    click.option(
        "--requestor",
        metavar="NAME",
        envvar="REMUDA_REQUESTOR",
        help="Who asks, and owns the machines. [env: REMUDA_REQUESTOR; default: USER@HOST]",
    ),
    click.option(
        "--tenant",
        metavar="NAME",
        help="For whom; a name in the records of request and nodes. No limits depend on it.",
    ),
    click.option("--fresh", is_flag=True, help="Only machines made for this request."),
    click.option(
        "--max-wait",
        "wait_s",
        metavar="DURATION",
        callback=duration,
        help="Give up when there is no machine after this long. [default: wait on]",
    ),
)


def requestor_option(command: F) -> F:
    """Add ``me``, our name."""
    return click.option(
        "--requestor",
        "me",
        metavar="NAME",
        envvar="REMUDA_REQUESTOR",
        default=default_requestor,
        help="Who we are. [env: REMUDA_REQUESTOR; default: USER@HOST]",
    )(command)


def owner_options(what: str) -> Callable[[F], F]:
    """Add ``me``, our name, and ``force``, which does *what* to what has another owner."""

    def add(command: F) -> F:
        return click.option("--force", is_flag=True, help=what)(requestor_option(command))

    return add


def asking_options(command: F) -> F:
    """Add the options that say how to ask."""
    for option in reversed(_ASKING):
        command = option(command)
    return command


def asking_of(options: dict[str, Any]) -> Asking:
    """Take the options of :func:`asking_options` out of *options*."""
    return Asking(**{name: options.pop(name) for name in Asking.__slots__})


def check_command(words: Sequence[str]) -> None:
    """Refuse a command of blanks: most likely a variable that is not set.

    Raises:
        MistakeError: If words are given and say nothing; a shell would call that a success.
    """
    if words and not "".join(words).strip():
        raise MistakeError("the command is empty")


def labels_of_words(words: Sequence[str]) -> list[str]:
    """Return ``small``, ``small`` for the word ``small=2``.

    Raises:
        MistakeError: If a count is not a number from 1.
    """
    labels: list[str] = []
    for word in words:
        label, equals, count = word.partition("=")
        number = count.isdecimal() and len(count) <= COUNT_DIGITS_MAX
        if not label or (equals and not (number and int(count) >= 1)):
            raise MistakeError(f"{word!r}: write LABEL or LABEL=COUNT")
        labels += [label] * (int(count) if equals else 1)
    return labels
