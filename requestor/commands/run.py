"""`remuda run`: a command on a fresh machine, as if it were here."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from remuda.archive.writer import Archived
from remuda.cli.caveats import NO_LAUNCHER
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.cli.known_names import check_labels, check_provider
from remuda.cloud.api import CloudConfigError
from remuda.insight import tree
from remuda.insight.tree import reader
from remuda.model.ids import NodeId
from remuda.model.job import job_variables
from remuda.runtime.clock import Clock
from remuda.ssh.errors import SshError
from remuda.store.api import Store, StoreError
from requestor.client import Client
from requestor.commands.archive_options import ArchiveOrder, archive_of, archive_options
from requestor.commands.archiving import JobArchiving
from requestor.commands.ending import RequestorCommand, this_ending
from requestor.commands.failure_lines import telling_failures
from requestor.commands.hold_time import refuse_too_long
from requestor.commands.keeping_hint import HeldTeller, tell_kept
from requestor.commands.options import Asking, asking_of, asking_options, check_command
from requestor.commands.parallel import ParallelRun, RemoteJob, RemoteJobOutcome
from requestor.commands.streams import JsonReporter, PlainReporter, RunReporter
from requestor.commands.waiting import accept
from requestor.context import default_requestor
from requestor.errors import RequestorError
from requestor.nodeset import NodeSet

if TYPE_CHECKING:
    from remuda.cloud.objects import ObjectStore

log = logging.getLogger(__name__)

_HOLD_DEFAULT: Final = "2h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to ask for, what to do with it, and what to do when that fails.

    Attributes:
        hold_s: Keep the machines for a person for so long if the command fails; None: do not.
        archive: What is kept of what the job leaves on its machines; None: nothing.
    """

    label: str
    count: int
    asking: Asking
    job: RemoteJob
    hold_s: float | None
    archive: ArchiveOrder | None = None


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda run small -- make test",
        "remuda run small -- 'cd /tmp && ls | wc -l'",
        "remuda run small --copy . -- ./run-tests.sh",
        "remuda run small --count 3 -- hostname",
        "remuda run small --hold-on-failure=4h --timeout 30m -- tox",
        "remuda run small --archive results --archive-to mycloud:ci/logs -- make test",
    ),
)
@click.argument("label")
@click.option(
    "--count",
    default=1,
    show_default=True,
    type=click.IntRange(1, 200),
    help="Run on so many machines at once, each line with a prefix.",
)
@click.option(
    "--copy",
    metavar="DIR[:REMOTE]",
    help="Copy a folder there first, and run in it. [REMOTE: work]",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="DURATION",
    callback=duration,
    help="Give the command up after this; exit code 124.",
)
@click.option(
    "--hold-on-failure",
    "hold_s",
    metavar="DURATION",
    callback=duration,
    is_flag=False,
    flag_value=_HOLD_DEFAULT,
    help=f"Keep the machines if the command fails. [alone: {_HOLD_DEFAULT}]",
)
@click.option(
    "--identity",
    metavar="KEYFILE",
    envvar="REMUDA_IDENTITY",
    type=click.Path(exists=True, dir_okay=False),
    help="Private key for the login, else the agent's. [env: REMUDA_IDENTITY]",
)
@click.option(
    "--insecure", is_flag=True, help="Log in even if no host key of the machine is known."
)
@click.option("--stdin", is_flag=True, help="Pass our standard input on (one machine only).")
@click.option("--quiet", is_flag=True, help="Say nothing of our own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines (docs/cli.md).")
@archive_options
@asking_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@with_context
def run(
    *,
    context: CommandContext,
    label: str,
    count: int,
    copy: str | None,
    timeout_s: float | None,
    hold_s: float | None,
    identity: str | None,
    insecure: bool,
    stdin: bool,
    quiet: bool,
    as_json: bool,
    command: tuple[str, ...],
    **more: Any,
) -> None:
    """Run COMMAND on a fresh machine of LABEL, with its exit code as ours.

    The output is streamed as it comes. Afterwards, whatever happened, the machine is given back,
    also after Ctrl-C (exit code 130). One word after -- is a text for the machine's shell; several
    are a program and its arguments.
    """
    reporter: RunReporter = (
        JsonReporter() if as_json else PlainReporter(prefixed=count > 1, quiet=quiet)
    )
    with telling_failures(reporter):
        if stdin and count > 1:
            raise MistakeError("--stdin can feed one machine only")
        check_command(command)
        folder, copy_to = _copy_of(copy)
        job = RemoteJob(
            command=command,
            copy=folder,
            copy_to=copy_to,
            key_file=identity,
            timeout_s=timeout_s,
            stdin=sys.stdin.buffer if stdin else None,
            insecure=insecure,
        )
        order = Order(
            archive=archive_of(more),
            label=label,
            count=count,
            asking=asking_of(more),
            job=job,
            hold_s=hold_s,
        )
        code = _carry_out(context, order, reporter)
    raise click.exceptions.Exit(code)


def _check_key(context: CommandContext, identity: str | None) -> None:
    """Refuse to ask for a machine without a key to log in with."""
    try:
        context.check_key(identity)
    except SshError as error:
        raise MistakeError(str(error)) from error


def _copy_of(copy: str | None) -> tuple[Path | None, str]:
    if copy is None:
        return None, ""
    local, colon, remote = copy.rpartition(":")
    name = local if colon else copy
    if not name or not Path(name).is_dir():  # an empty one would be the folder that we are in
        raise MistakeError(f"--copy: there is no folder {name or repr(name)}")
    folder = Path(name)
    return folder, remote if colon and remote else "work"


def _carry_out(context: CommandContext, order: Order, reporter: RunReporter) -> int:
    """Ask, run, and give back or hold; return the exit code."""
    ending = this_ending()
    runs: list[ParallelRun] = []

    def lost(_nodes: NodeSet) -> None:
        for parallel in runs:
            parallel.stop()

    with context.store() as store, _objects(context, order.archive) as objects:
        _check_key(context, order.job.key_file)
        read = reader(store)
        check_labels(read, [order.label])
        check_provider(read, order.asking.provider)
        if order.hold_s is not None:
            refuse_too_long(store, order.hold_s, "--hold-on-failure")
        if not tree.served(read):
            _tell_nobody(reporter)
        ending.hold_off()
        with Client(store, on_lost=lost, clock=context.clock) as client:
            pending = client.request({order.label: order.count}, **order.asking.as_arguments())
            started_s = context.clock.monotonic_s()
            what = f"{order.count} {order.label}"
            accepting = accept(pending, what, ending, reporter.tell)
            with accepting as nodes, ExitStack() as closing:
                _tell_nodes(reporter, nodes, context.clock.monotonic_s() - started_s)
                outlets = [reporter.outlets(node, index) for index, node in enumerate(nodes)]
                parallel = ParallelRun(
                    order.job,
                    nodes,
                    outlets,
                    clock=context.clock,
                    connect=context.open_session,
                    keep=order.archive is not None,
                )
                runs.append(parallel)
                closing.callback(parallel.stop)
                ending.on_asked(parallel.stop)
                nodes.check()
                code = parallel.run()
                ending.check()
                _tell_outcomes(reporter, parallel, code)
                nodes.check()
                _report(parallel)
                if order.archive is not None and order.archive.wanted(code):
                    ids = [node.id for node in nodes]
                    archiving = _archiving(
                        context, order, order.archive, objects, code=code, nodes=ids
                    )
                    archived = archiving.archive(parallel, reporter)
                    ending.check()
                    _report_archive(parallel, archived)
                if code and order.hold_s is not None:
                    _hold(reporter, store, context.clock, nodes, order, code=code)
            if order.hold_s is None:
                me = order.asking.requestor or default_requestor()
                tell_kept(reporter, store, context.clock, parallel.failed, me=me)
    return code


@contextmanager
def _objects(
    context: CommandContext, archive: ArchiveOrder | None
) -> "Iterator[ObjectStore | None]":
    """Open the object store of an archive, so that a wrong name costs no machine."""
    if archive is None or archive.place.folder is not None:
        yield None
        return
    try:
        objects = context.open_objects(archive.place.cloud)
    except CloudConfigError as error:
        raise MistakeError(f"--archive-to: {error}") from error
    try:
        yield objects
    finally:
        objects.close()


def _archiving(
    context: CommandContext,
    order: Order,
    archive: ArchiveOrder,
    objects: "ObjectStore | None",
    *,
    code: int,
    nodes: list[NodeId],
) -> JobArchiving:
    ending = this_ending()
    return JobArchiving(
        order=archive,
        start=order.job.copy_to if order.job.copy is not None else ".",
        objects=objects,
        about={
            "label": order.label,
            "nodes": nodes,
            "code": code,
            "job": job_variables(os.environ),
        },
        clock=context.clock,
        stopped=lambda: ending.asked,
    )


def _tell_nobody(reporter: RunReporter) -> None:
    reporter.tell("waiting", NO_LAUNCHER, request=None, waited_s=0.0, why=NO_LAUNCHER)


def _tell_nodes(reporter: RunReporter, nodes: NodeSet, waited_s: float) -> None:
    for node in nodes:
        reporter.tell(
            "node",
            f"{node.label} {node.id} at {node.address} ({node.provider}) after {waited_s:.1f} s",
            waited_s=waited_s,
            **node.facts.as_json(),
        )


def _tell_outcomes(reporter: RunReporter, parallel: ParallelRun, code: int) -> None:
    several = len(parallel.outcomes) > 1
    for outcome in parallel.outcomes:
        why = outcome.why or (f"exit code {outcome.code}" if outcome.code and several else "")
        reporter.tell(
            "exit",
            f"node {outcome.node.id}: {why}" if why else "",
            node=outcome.node.id,
            code=outcome.code,
            why=outcome.why,
        )
    reporter.tell("done", "", code=code)


def _report(parallel: ParallelRun) -> None:
    """Write into the records of the nodes how it went there; that it cannot be changes nothing.

    ZooKeeper is waited for once, not for each node. What failed here says nothing of the machine.
    """
    for outcome in parallel.outcomes:
        if outcome.here:
            continue
        if not _reported(outcome):
            return


def _report_archive(parallel: ParallelRun, archived: Archived) -> None:
    """Tell of the archive of a run, in the report of one of its nodes: it is counted once."""
    for outcome in parallel.outcomes:
        if not outcome.here:
            _reported(outcome, archived)
            return


def _reported(outcome: RemoteJobOutcome, archived: Archived | None = None) -> bool:
    """Write the report of one node, and say whether that could be done."""
    why = outcome.why or (f"exit code {outcome.code}" if outcome.code else "")
    try:
        outcome.node.report(
            ok=not outcome.code, why=why, fetched_bytes=outcome.fetched, archived=archived
        )
    except (RequestorError, StoreError) as error:
        log.info("node %s: not reported: %s", outcome.node.id, error)
        return False
    return True


def _hold(
    reporter: RunReporter, store: Store, clock: Clock, nodes: NodeSet, order: Order, *, code: int
) -> None:
    """Leave all machines to a person, and say for how long their launchers keep them."""
    seconds = order.hold_s or 0.0
    owner = order.asking.requestor or default_requestor()
    teller = HeldTeller(reporter, store, clock, for_s=seconds)
    # They stay held, whatever ends us: nobody but us says which they are.
    this_ending().on_asked(teller.say_rest)
    try:
        for node in nodes:
            node.hold(f"remuda run ended with exit code {code}", owner=owner, seconds=seconds)
            teller.add(node)
        teller.ask()
    finally:
        teller.say_rest()
