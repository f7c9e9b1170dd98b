"""`remuda hold`: keep the machine of a node that we have in use, for a person."""

from typing import Any

import click

from remuda.cli import output
from remuda.cli.completing import complete_in_use
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.cli.terminal import say
from remuda.cli.znode_names import as_shown
from remuda.model.ids import NodeId
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import requestor_option
from requestor.commands.takehome import FOR_S, snapshot_of, snapshot_options, take_home
from requestor.holding import check_time, wait_for_answer, wish_hold, write_wish
from requestor.takinghome import WishedImage


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda hold 3000000001 --reason 'unit tests hang' --for 8h",
        "remuda hold 3000000001 --reason 'for ada' --owner ada",
        "remuda hold 3000000001 --snapshot --share-with 0123456789abcdef0123456789abcdef --for 14d",
    ),
)
@click.argument("node", callback=as_shown, shell_complete=complete_in_use)
@click.option("--reason", help="Why, for people; needed unless it is held already.")
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=duration,
    help="How long, from when the job lets it go. [default: as the configuration says]",
)
@click.option("--owner", metavar="NAME", help="For whom. [default: us]")
@snapshot_options
@requestor_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def hold(
    *,
    context: CommandContext,
    node: str,
    reason: str | None,
    for_s: float | None,
    owner: str | None,
    me: str,
    as_json: bool,
    **more: Any,
) -> None:
    """Keep the machine of NODE, which we have in use, once its job lets it go.

    Its launcher answers by the limits of the configuration (`holds`). With --snapshot the machine
    becomes an image: identity and our keys are taken off it, what it shows of its failure stays,
    and its quota is free as soon as there is an image. Then NODE may be held already.
    """
    seconds, snapshot = check_time(for_s), snapshot_of(more)
    if reason is None and snapshot is None:
        raise MistakeError("say why: --reason TEXT")
    if reason is None and owner is not None:
        raise MistakeError("--owner is for a machine in use, with --reason; a hold has an owner")
    with context.store() as store:
        if reason is not None:
            kept_s = seconds if snapshot is None else 0.0
            now_s = context.clock.now_s()
            make = wish_hold(me, reason=reason, for_s=kept_s, owner=owner, now_s=now_s)
            wished = write_wish(store, NodeId(node), make)
            found = wait_for_answer(store, context.clock, wished)
        if snapshot is not None:
            image = WishedImage(
                me=me,
                for_s=seconds or FOR_S,
                share_with=snapshot.share_with,
                public=snapshot.public,
            )
            take_home(store, context, NodeId(node), snapshot, image, as_json=as_json)
            return
    if as_json:
        output.emit_json({"node": node, "owner": found.owner, "for_s": found.for_s})
        return
    kept = output.age(found.for_s)
    say(f"node {node} is kept for {found.owner} for {kept}, from when its job lets it go")
