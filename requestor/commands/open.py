"""`remuda open`: boot a take-home image again, as a held node of ours."""

import click

from remuda.cli import output
from remuda.cli.completing import complete_taken_home
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import EXIT_TIMEOUT, CommandFailedError
from remuda.cli.terminal import say
from remuda.model.ids import NodeId
from remuda.model.takehome import TakeHome
from remuda.store.api import Store
from requestor.client import Client
from requestor.commands.ending import RequestorCommand
from requestor.commands.hold_time import refuse_too_long
from requestor.commands.opening import image_to_open, node_named
from requestor.commands.options import owner_options
from requestor.errors import RequestFailedError, RequestTimeoutError


@click.command(
    cls=RequestorCommand,
    name="open",
    examples=(
        "remuda open 3000000001 --for 4h",
        "remuda open failed.tar.gz --max-wait 10m",
    ),
)
@click.argument("capsule", shell_complete=complete_taken_home)
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
    capsule: str,
    for_s: float | None,
    wait_s: float | None,
    me: str,
    force: bool,
    as_json: bool,
) -> None:
    """Boot the image of the machine that CAPSULE tells of, as a node that is held for us.

    CAPSULE is the node that the machine was, or the file of its capsule. An image is there if the
    machine was taken home (`remuda hold NODE --snapshot`). It boots where that is, with the label's
    login.
    """
    with context.store() as store:
        one = image_to_open(store, node_named(capsule), me=me, force=force)
        if for_s is not None:
            refuse_too_long(store, for_s, "--for")
        node = _booted(store, one, me=me, wait_s=wait_s, for_s=for_s)
    if as_json:
        output.emit_json({"node": node, "image": one.cloud_image, "of": one.node})
        return
    say(f"node {node} has booted image {one.cloud_image} and is held for {me}: remuda ssh {node}")


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
