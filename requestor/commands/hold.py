"""`remuda hold`: keep the machine of a node that we have in use, for a person."""

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.terminal import say
from remuda.model.ids import NodeId
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import requestor_option
from requestor.holding import check_time, wait_for_answer, wish_hold, write_wish


@click.command(
    cls=RequestorCommand,
    examples=(
        "remuda hold 3000000001 --reason 'unit tests hang' --for 8h",
        "remuda hold 3000000001 --reason 'for ada' --owner ada",
    ),
)
@click.argument("node")
@click.option("--reason", required=True, help="Why, for people.")
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=duration,
    help="How long, from when the job lets it go. [default: as the configuration says]",
)
@click.option("--owner", metavar="NAME", help="For whom. [default: us]")
@requestor_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def hold(
    *,
    context: CommandContext,
    node: str,
    reason: str,
    for_s: float | None,
    owner: str | None,
    me: str,
    as_json: bool,
) -> None:
    """Keep the machine of NODE, which we have in use, once its job lets it go.

    Its launcher answers by the limits of the configuration (`holds`).
    """
    seconds = check_time(for_s)
    with context.store() as store:
        make = wish_hold(me, reason=reason, for_s=seconds, owner=owner, now_s=context.clock.now_s())
        wished = write_wish(store, NodeId(node), make)
        found = wait_for_answer(store, context.clock, wished)
    if as_json:
        output.emit_json({"node": node, "owner": found.owner, "for_s": found.for_s})
        return
    kept = output.age(found.for_s)
    say(f"node {node} is kept for {found.owner} for {kept}, from when its job lets it go")
