"""`remuda open`: boot a take-home image again, as a held node of ours."""

import click

from remuda.cli import output
from remuda.cli.completing import complete_taken_home
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import EXIT_TIMEOUT, CommandFailedError, MistakeError
from remuda.cli.terminal import say
from remuda.insight.takehomes import read_take_home, said
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.takehome import TakeHome, TakeHomeState
from remuda.store.api import Store
from requestor.client import Client
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import owner_options
from requestor.errors import RequestFailedError, RequestTimeoutError


@click.command(
    cls=RequestorCommand,
    name="open",
    examples=("remuda open 3000000001 --for 4h", "remuda open 3000000001 --max-wait 10m"),
)
@click.argument("hold", shell_complete=complete_taken_home)
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=duration,
    default="8h",
    show_default=True,
    help="How long the node is held.",
)
@click.option(
    "--max-wait",
    "wait_s",
    metavar="DURATION",
    callback=duration,
    default="30m",
    show_default=True,
    help="Give up when there is no machine after this long; exit code 5.",
)
@owner_options("Even what is somebody else's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def open_hold(
    *,
    context: CommandContext,
    hold: str,
    for_s: float | None,
    wait_s: float | None,
    me: str,
    force: bool,
    as_json: bool,
) -> None:
    """Boot the image that the hold HOLD has become, as a node that is held for us.

    HOLD is the node that the machine was. It boots where the image is, with the label's login.
    """
    with context.store() as store:
        one = _image(store, NodeId(hold), me=me, force=force)
        node = _booted(store, one, me=me, wait_s=wait_s, for_s=for_s)
    if as_json:
        output.emit_json({"node": node, "image": one.cloud_image, "of": one.node})
        return
    say(f"node {node} has booted image {one.cloud_image} and is held for {me}: remuda ssh {node}")


def _image(store: Store, node: NodeId, *, me: str, force: bool) -> TakeHome:
    """Return the image to open.

    Raises:
        MistakeError: There is none, or it is somebody else's.
    """
    try:
        one = read_take_home(store, node)
    except CorruptRecordError as error:
        raise MistakeError(f"the image of node {node} cannot be read: {error}") from error
    if one is None:
        raise MistakeError(f"node {node} was not taken home: there is no image of it")
    if one.state is not TakeHomeState.WHOLE:
        raise MistakeError(f"node {node}: {said(one)}")
    if me not in {one.by, one.requestor} and not force:
        raise MistakeError(f"the image of node {node} is of {one.by}, not {me}; --force opens it")
    return one


def _booted(
    store: Store, one: TakeHome, *, me: str, wait_s: float | None, for_s: float | None
) -> NodeId:
    """Ask for a machine that boots it, and hold that; return its node.

    Raises:
        CommandFailedError: There is none, or none in time.
    """
    with Client(store, requestor=me) as client:
        pending = client.request(
            one.label, provider=one.provider, reuse=False, deadline_s=wait_s, opens=one.node
        )
        try:
            pending.wait()
            (node,) = pending.accept()
        except RequestTimeoutError as error:
            raise CommandFailedError(str(error), EXIT_TIMEOUT) from error
        except RequestFailedError as error:
            raise CommandFailedError(str(error), 1) from error
        node.hold(f"opened: {one.reason or one.node}", owner=me, seconds=for_s)
        return node.id
