"""`remuda extend`: keep a held machine for longer."""

import click

from remuda.cli import output
from remuda.cli.completing import complete_held
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.cli.terminal import say
from remuda.cli.znode_names import as_shown
from remuda.insight.takehomes import read_take_home, until
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.takehome import TakeHome, TakeHomeState
from remuda.moments import when
from remuda.store.api import Store
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import requestor_option
from requestor.holding import check_time, wait_for_answer, wish_more, write_wish
from requestor.takinghome import keep_take_home


@click.command(
    cls=RequestorCommand,
    examples=("remuda extend 3000000001", "remuda extend 3000000001 --for 2h"),
)
@click.argument("node", callback=as_shown, shell_complete=complete_held)
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=duration,
    help="By how much. [default: as the configuration says; an image, as long as it may be kept]",
)
@requestor_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def extend(
    *, context: CommandContext, node: str, for_s: float | None, me: str, as_json: bool
) -> None:
    """Keep the held machine of NODE, or the image that it has become, for longer.

    How often, and by how much, the configuration says: `holds`, in `extend` for machines, in
    `snapshots` (`max-age`) for images.
    """
    seconds = check_time(for_s)
    with context.store() as store:
        image = _image(store, NodeId(node))
        if image is not None:
            kept = keep_take_home(store, context.clock, image, by=me, for_s=seconds)
            if as_json:
                output.emit_json({"node": node, "owner": kept.by, "ends_at_s": kept.ends_s})
            else:
                say(f"image {kept.cloud_image} of node {node} is kept until {until(kept)}")
            return
        make = wish_more(me, for_s=seconds, now_s=context.clock.now_s())
        found = wait_for_answer(store, context.clock, write_wish(store, NodeId(node), make))
    ends_s = found.ends_s or 0.0
    if as_json:
        output.emit_json({"node": node, "owner": found.owner, "ends_at_s": ends_s})
        return
    left = output.age(ends_s - context.clock.now_s())
    say(f"node {node} is held until {when(ends_s)} ({left} left)")


def _image(store: Store, node: NodeId) -> TakeHome | None:
    """Return the image that the machine of a node has become; None: it is a machine."""
    try:
        one = read_take_home(store, node)
    except CorruptRecordError as error:
        raise MistakeError(f"the image of node {node} cannot be read: {error}") from error
    return one if one is not None and one.state is TakeHomeState.WHOLE else None
