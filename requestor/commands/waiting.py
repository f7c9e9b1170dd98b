"""Waiting for a request, with a line that says why, if a person is looking."""

import sys
from contextlib import ExitStack
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from remuda.cli.output import age
from remuda.insight.explanation import Explanation
from remuda.visible import visible
from requestor.commands.ending import Ending
from requestor.errors import RequestTimeoutError
from requestor.nodes import NodeSet
from requestor.pending import PendingRequest

#: Verdicts are read anew this often, and only for a person at a terminal.
_EXPLAIN_S: Final = 2.0


def accept(pending: PendingRequest, what: str, ending: Ending) -> NodeSet:
    """Wait for a request until its deadline and take its nodes; cancel it if that fails.

    Args:
        pending: The request.
        what: What it asks for, for the line on the terminal.
        ending: Interrupts the wait.

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
            pending.wait()
        nodes = pending.accept()
        ending.check()
        undo.pop_all()
    return nodes


def _wait_visibly(pending: PendingRequest, what: str) -> None:
    console = Console(stderr=True)
    with Status(_line(f"waiting for {what}"), console=console) as line:
        while True:
            try:
                pending.wait(_EXPLAIN_S)
            except RequestTimeoutError as late:
                if pending.over:
                    raise
                line.update(_line(progress(what, late.waited_s, late.explanation)))
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
