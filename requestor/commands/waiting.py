"""Waiting for a request, and telling whoever looks, or reads the log of a job later, why."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, repeat
from typing import Any, Final, Protocol

from rich.console import Console
from rich.status import Status
from rich.text import Text

from remuda.cli.output import age
from remuda.cli.terminal import say
from remuda.insight.explanation import Explanation
from remuda.store.api import StoreAwayError
from remuda.visible import visible
from requestor.commands.ending import Ending
from requestor.errors import RequestTimeoutError
from requestor.nodeset import NodeSet
from requestor.pending import PendingRequest

#: Verdicts are read anew this often for a person at a terminal.
_EXPLAIN_S: Final = 2.0
#: Without a terminal: hundreds may wait, and what they wait for changes seldom.
PAUSES_S: Final = (5.0, 10.0, 20.0, 40.0)
_LATER_S: Final = 60.0
AWAY: Final = "ZooKeeper is away for now"


class Tell(Protocol):
    """Says something to whoever called us."""

    def __call__(self, event: str, sentence: str, /, **facts: Any) -> None:
        """Say a sentence to people, or its facts to programs."""


def tell_people(_event: str, sentence: str, /, **_facts: Any) -> None:
    """Say it on standard error."""
    say(f"remuda: {sentence}", err=True)


def accept(pending: PendingRequest, what: str, ending: Ending, tell: Tell) -> NodeSet:
    """Wait for a request until its deadline and take its nodes; cancel it if that fails.

    Args:
        pending: The request.
        what: What it asks for, for the line on the terminal.
        ending: Interrupts the wait.
        tell: Says why it waits, where no person looks at a line that changes.

    Raises:
        EndedError: If a signal has asked us to end.
        RequestorError: See :meth:`PendingRequest.wait` and :meth:`PendingRequest.accept`.
        StoreAwayError: If ZooKeeper is away.
    """
    with ExitStack() as undo:
        undo.callback(pending.abandon)
        ending.on_asked(pending.interrupt)
        if sys.stderr.isatty():
            _wait_visibly(pending, what)
        else:
            wait_in_lines(pending, what, tell)
        nodes = pending.accept()
        ending.check()
        undo.pop_all()
    return nodes


def _wait_visibly(pending: PendingRequest, what: str) -> None:
    console = Console(stderr=True)
    with Status(_line(f"waiting for {what}"), console=console) as line:
        for known, waited_s in _looks(pending, repeat(_EXPLAIN_S), with_position=True):
            said = f"waiting for {what}: {AWAY}"
            line.update(_line(said if known is None else progress(what, waited_s, known)))


def wait_in_lines(
    pending: PendingRequest, what: str, tell: Tell, pauses_s: Iterable[float] = PAUSES_S
) -> None:
    """Say after a few seconds which request waits, and why; again when the reason has changed."""
    told = None
    for known, waited_s in _looks(pending, pauses_s, with_position=False):
        why = AWAY if known is None else known.sentence
        if why != told:
            told = why
            tell(
                "waiting",
                f"request {pending.id} waits for {what}, {age(waited_s)}: {why}",
                request=pending.id,
                waited_s=round(waited_s, 1),
                why=why,
            )


def _looks(
    pending: PendingRequest, pauses_s: Iterable[float], *, with_position: bool
) -> Iterator[tuple[Explanation | None, float]]:
    """Yield now and then why a request waits, None if ZooKeeper is away, until it is served.

    Raises:
        RequestorError: See :meth:`PendingRequest.wait`.
        StoreAwayError: If ZooKeeper is away at the deadline.
    """
    waited_s = 0.0
    for pause_s in chain(pauses_s, repeat(_LATER_S)):
        try:
            pending.wait(pause_s, with_position=with_position)
        except RequestTimeoutError as late:
            if pending.over:
                raise
            waited_s = late.waited_s
            yield late.explanation, waited_s
        except StoreAwayError:
            if pending.over or pending.rest_s == 0.0:
                raise
            waited_s += pause_s
            yield None, waited_s
        else:
            return


def _line(text: str) -> Text:
    """Return what stands in records as text: rich would read [red] in a str as an order."""
    return Text(visible(text))


def progress(what: str, waited_s: float, known: Explanation) -> str:
    """Return the line for a person who waits."""
    parts = [f"waiting for {what}, {age(waited_s)}"]
    if known.position is not None and known.position > 1:
        parts.append(f"number {known.position} of {known.queue_length}")
    if known.eta_s is not None:
        parts.append(f"expected in {age(known.eta_s)}")
    return f"{', '.join(parts)}: {known.sentence}"
