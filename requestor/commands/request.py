"""`remuda request`: machines for shell scripts."""

import os
import subprocess
import sys
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.caveats import tell_what_is_missing
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.cli.known_names import check_labels, check_provider
from remuda.cli.terminal import say
from remuda.cli.views.requests import labels_text
from remuda.insight.tree import reader
from remuda.store.api import Store
from requestor.client import Client
from requestor.commands.ending import Ending, RequestorCommand, this_ending
from requestor.commands.failure_lines import is_failure, telling_failures
from requestor.commands.kept_nodes import KEPT, Keeper, Wakeup
from requestor.commands.options import Asking, asking_of, asking_options, labels_of_words
from requestor.commands.streams import JsonReporter
from requestor.commands.waiting import accept, tell_people
from requestor.nodeset import NodeSet

#: A script that forgets its machines keeps them no longer than this.
_DETACHED_DEFAULT_S: Final = 12 * 3600.0
#: Set for the process in the background: it says when it has told all by closing its output.
_BACKGROUND: Final = "REMUDA_IN_BACKGROUND"


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda request small",
        "remuda request small=2 big --wait",
        "read -r id addr port user _ < <(remuda request small --wait --detach --until-pid $$)",
        "coproc remuda request small --wait --json; read -ru ${COPROC[0]} node",
    ),
)
@click.argument("labels", metavar="LABEL[=COUNT]...", nargs=-1, required=True)
@click.option("--wait", is_flag=True, help="Wait, take the nodes, print them, and keep them.")
@click.option("--detach", is_flag=True, help="With --wait: keep them in the background.")
@click.option(
    "--until-pid",
    type=click.IntRange(min=1),
    metavar="PID",
    help="Keep them as long as this process lives. [default: our parent; detached: none]",
)
@click.option(
    "--keep",
    "keep_s",
    metavar="DURATION",
    callback=duration,
    help="Keep them no longer than this. [default: no limit; detached: 12h]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/cli.md).")
@asking_options
@with_context
def request(
    *,
    context: CommandContext,
    labels: tuple[str, ...],
    wait: bool,
    detach: bool,
    until_pid: int | None,
    keep_s: float | None,
    as_json: bool,
    **asking: Any,
) -> None:
    """Ask for machines, all from one provider.

    Without --wait: print the id of a request that outlives us; somebody else accepts it, or
    `remuda release` cancels it. With --wait: one line per machine (ID ADDRESS PORT USER LABEL
    PROVIDER, or JSON), and the machines are kept until Ctrl-C, SIGTERM, the end of our parent or
    of our input, or until `remuda release` has given back all of them.
    """
    with telling_failures(JsonReporter()) if as_json else nullcontext():
        options = asking_of(asking)
        wanted = labels_of_words(labels)
        if (detach or until_pid or keep_s) and not wait:
            raise MistakeError("--detach, --until-pid and --keep need --wait")
        if detach and not _in_background():
            # Whoever goes to the background tells of its failures, and we pass that on.
            raise click.exceptions.Exit(_detach(len(wanted), this_ending()))
        stay = _Stay(
            until_pid=until_pid if until_pid or detach else os.getppid(),
            until_input_ends=not detach,
            keep_s=keep_s or (_DETACHED_DEFAULT_S if detach else None),
        )
        with context.store() as store:
            read = reader(store)
            check_labels(read, wanted)
            check_provider(read, options.provider)
            tell_what_is_missing(read)
            this_ending().hold_off()
            if wait:
                _take(store, context, wanted, options, stay, as_json=as_json)
            else:
                _leave(store, context, wanted, options, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """How long nodes are kept; see :class:`Keeper`."""

    until_pid: int | None
    until_input_ends: bool
    keep_s: float | None


def _in_background() -> bool:
    return _BACKGROUND in os.environ


def _leave(
    store: Store, context: CommandContext, wanted: list[str], options: Asking, *, as_json: bool
) -> None:
    """Make a request that outlives us, and print its id."""
    with Client(store, clock=context.clock) as client:
        made = client.request(wanted, ephemeral=False, **options.as_arguments())
        if this_ending().asked:
            made.cancel()  # nobody reads its name any more
            return
    if as_json:
        output.emit_line({"request": made.id, "labels": wanted})
    else:
        say(made.id)


def _take(
    store: Store,
    context: CommandContext,
    wanted: list[str],
    options: Asking,
    stay: _Stay,
    *,
    as_json: bool,
) -> None:
    """Wait for nodes, print them, and keep them."""
    ending, wakeup = this_ending(), Wakeup()
    keeper = Keeper(
        store,
        wakeup,
        until_pid=stay.until_pid,
        until_input_ends=stay.until_input_ends,
        keep_s=stay.keep_s,
        ending=ending,
        clock=context.clock,
    )
    client = Client(
        store,
        on_lost=lambda _nodes: wakeup.poke(),
        use_data={KEPT: True},
        clock=context.clock,
    )
    pending = client.request(wanted, **options.as_arguments())
    with client, accept(pending, labels_text(wanted), ending, tell_people) as nodes:
        _print(nodes, as_json=as_json)
        keeper.keep(nodes)


def _print(nodes: NodeSet, *, as_json: bool) -> None:
    for node in nodes:
        if as_json:
            output.emit_line({"request": nodes.request_id, **node.facts.as_json()})
        else:
            words = (node.id, node.address, node.port, node.user, node.label, node.provider)
            say(" ".join(str(word) for word in words))
    sys.stdout.flush()
    if _in_background():
        _close_output()


def _close_output() -> None:
    """Tell whoever started us that all is said, and hold none of their streams open."""
    with Path(os.devnull).open("r+b") as nothing:
        for fd in (0, 1, 2):
            os.dup2(nothing.fileno(), fd)


def _detach(lines: int, ending: Ending) -> int:
    """Start ourselves in the background, pass on the lines that tell of the nodes, and leave."""
    ending.hold_off()
    child = subprocess.Popen(
        [sys.executable, "-m", "remuda", *sys.argv[1:]],
        env={**os.environ, _BACKGROUND: "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with ExitStack() as undo:
        undo.callback(child.terminate)
        ending.on_asked(child.terminate)
        told = child.stdout.read() if child.stdout else b""
        click.echo(told, nl=False)
        if sum(not is_failure(line) for line in told.splitlines()) < lines:
            return child.wait()
        undo.pop_all()
    return 0
