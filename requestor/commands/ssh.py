"""`remuda ssh`: the system's ssh, with the machine's own host keys."""

import logging
import os
import signal
import subprocess
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from remuda.cli.caveats import unknown
from remuda.cli.completing import complete_nodes
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import CommandFailedError, MistakeError
from remuda.cli.node_change import find_node
from remuda.cli.terminal import say
from remuda.cli.znode_names import as_shown
from remuda.insight.facts import NodeFacts, facts_of, known_hosts
from remuda.insight.holding import read_images
from remuda.insight.tree import reader
from remuda.model.ids import NodeId
from remuda.model.node import Node, NodeState
from remuda.model.takehome import TakeHomeState
from remuda.store.api import Store, StoreError
from requestor.certifying import certified
from requestor.commands.ending import EXIT_SSH, RequestorCommand, this_ending
from requestor.commands.options import check_command, owner_options
from requestor.holding import held_as
from requestor.owning import node_owner

log = logging.getLogger(__name__)


@click.command(
    cls=RequestorCommand,
    examples=("remuda ssh 3000000001", "remuda ssh 3000000001 -- tail -f /var/log/syslog"),
)
@click.argument("node", callback=as_shown, shell_complete=complete_nodes)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--identity",
    metavar="KEYFILE",
    envvar="REMUDA_IDENTITY",
    type=click.Path(exists=True, dir_okay=False),
    help="Private key for the login, and no certificate. [env: REMUDA_IDENTITY, where no "
    "certificate is to be had]",
)
@owner_options("Even to a machine that is somebody else's.")
@click.option(
    "--insecure", is_flag=True, help="Log in even if no host key of the machine is known."
)
@with_context
def ssh(
    *,
    context: CommandContext,
    node: str,
    command: tuple[str, ...],
    identity: str | None,
    me: str,
    force: bool,
    insecure: bool,
) -> None:
    """Log in to NODE, or run COMMAND there, with ssh and the host keys that we know.

    For a machine that is held, of a site with an authority for certificates, a fresh key with a
    certificate is used that is good for this one machine, until the end of its hold.
    """
    check_command(command)
    with context.store() as store:
        record = _read(store, node)
        hold = held_as(store, record)
    owner = node_owner(record, me=me, hold=hold)
    if owner is not None and not force:
        raise MistakeError(f"node {node} is of {owner}, not of {me}; --force logs in anyway")
    facts = facts_of(record)
    if facts.address is None:
        raise MistakeError(f"node {node} is {facts.state} and has no address yet")
    if not facts.host_keys and not insecure:
        raise CommandFailedError(
            f"no host key of node {node} is known: nobody can tell whose machine answers "
            "(--insecure: log in all the same)",
            EXIT_SSH,
        )
    certify = record.state is NodeState.HOLD and not _insists_on_key()
    with ExitStack() as visit:
        certifying = _connect(visit, context, identity) if certify else None
        # From here on there is a folder, and maybe a wish, to be taken away again.
        this_ending().hold_off()
        folder = Path(visit.enter_context(tempfile.TemporaryDirectory(prefix="remuda-ssh-")))
        if certifying is not None:
            identity = _certify(visit, context, certifying, record, folder, me=me) or identity
            facts = _known_by_now(certifying, facts, identity)
        hosts = folder / "known_hosts"
        hosts.write_text(known_hosts(facts))
        code = _run(ssh_arguments(facts, hosts, identity, command))
    raise click.exceptions.Exit(code)


def _connect(visit: ExitStack, context: CommandContext, identity: str | None) -> Store | None:
    """Return where a certificate is wished; None: ZooKeeper cannot be reached, but there is a key.

    Raises:
        StoreError: It cannot be reached, and there is no key.
    """
    try:
        return visit.enter_context(context.store())
    except StoreError as error:
        if identity is None:
            raise
        log.info("no certificate is asked for: %s", error)
        return None


def _certify(
    visit: ExitStack, context: CommandContext, store: Store, node: Node, folder: Path, *, me: str
) -> str:
    """Return a key with a certificate for this visit; empty: there is none to be had."""
    made = certified(
        store,
        context.clock,
        node,
        folder,
        me=me,
        check=this_ending().check,
        tell=lambda sentence: say(f"remuda: {sentence}", err=True),
    )
    return visit.enter_context(made)


def _known_by_now(store: Store, facts: NodeFacts, identity: str | None) -> NodeFacts:
    """Return facts with the host keys that a machine has by now: a hold that begins changes them.

    Raises:
        MistakeError: The node is gone meanwhile.
        StoreError: ZooKeeper is away, and there is no key.
    """
    try:
        return replace(facts, host_keys=facts_of(_read(store, facts.id)).host_keys)
    except StoreError as error:
        if identity is None:
            raise
        log.info("the host keys of node %s are not read again: %s", facts.id, error)
        return facts


def _insists_on_key() -> bool:
    """Say whether the key was named for this very visit: the environment has it for all of them."""
    source = click.get_current_context().get_parameter_source("identity")
    return source is ParameterSource.COMMANDLINE


def _read(store: Store, node: str) -> Node:
    """Return the record of a node.

    Raises:
        MistakeError: There is none, or it cannot be read.
    """
    stored = find_node(store, NodeId(node))
    if stored is None:
        taken = read_images(reader(store)).get(NodeId(node))
        if taken is not None and taken.state is TakeHomeState.WHOLE:
            raise MistakeError(
                f"the machine of node {node} is gone, its image is there: `remuda open {node}` "
                "boots it"
            )
        raise MistakeError(unknown(reader(store), f"there is no node {node}"))
    return stored.value


def ssh_arguments(
    facts: NodeFacts, hosts: Path, identity: str | None, command: tuple[str, ...]
) -> list[str]:
    """Return the command line of ssh for one machine.

    Args:
        facts: The machine; it has an address.
        hosts: Its known_hosts file.
        identity: Private key file, or None for what ssh finds by itself.
        command: What to run there; empty: a shell.
    """
    # Without keys: nobody gets here who did not say --insecure.
    strict = "yes" if facts.host_keys else "no"
    arguments = [
        "ssh",
        "-o", f"UserKnownHostsFile={hosts}",
        "-o", "GlobalKnownHostsFile=/dev/null",
        "-o", f"StrictHostKeyChecking={strict}",
        # Neither a login nor a dead machine holds anybody for ever.
        "-o", "ConnectTimeout=15",
        "-o", "ServerAliveInterval=15",
        "-o", "ServerAliveCountMax=3",
        "-p", str(facts.port),
        "-l", facts.user or "root",
    ]  # fmt: skip
    if identity is not None:
        arguments += ["-i", identity, "-o", "IdentitiesOnly=yes"]
    return [*arguments, "--", str(facts.address), *command]


def _run(arguments: list[str]) -> int:
    ending = this_ending()
    ending.check()
    try:
        child = subprocess.Popen(arguments, env=dict(os.environ))
    except FileNotFoundError as error:
        raise CommandFailedError("there is no ssh on this machine", EXIT_SSH) from error
    # Ctrl-C goes to ssh, too, and on to the machine: it is ssh that decides.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ending.on_asked(child.terminate)
        return child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
