"""`remuda extend`: keep a held machine for longer."""

import click

from remuda.cli import output
from remuda.cli.completing import complete_held
from remuda.cli.context import CommandContext, with_context
from remuda.cli.durations import duration
from remuda.cli.terminal import say
from remuda.model.ids import NodeId
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import requestor_option
from requestor.holding import check_time, wait_for_answer, wish_more, write_wish


@click.command(
    cls=RequestorCommand,
    examples=("remuda extend 3000000001", "remuda extend 3000000001 --for 2h"),
)
@click.argument("node", shell_complete=complete_held)
@click.option(
    "--for",
    "for_s",
    metavar="DURATION",
    callback=duration,
    help="By how much. [default: as the configuration says]",
)
@requestor_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def extend(
    *, context: CommandContext, node: str, for_s: float | None, me: str, as_json: bool
) -> None:
    """Keep the machine of NODE, which is held for us, for longer.

    How often, and by how much, the configuration says (`holds`: `extend`).
    """
    seconds = check_time(for_s)
    with context.store() as store:
        make = wish_more(me, for_s=seconds, now_s=context.clock.now_s())
        found = wait_for_answer(store, context.clock, write_wish(store, NodeId(node), make))
    ends_s = found.ends_s or 0.0
    if as_json:
        output.emit_json({"node": node, "owner": found.owner, "ends_at_s": ends_s})
        return
    say(f"node {node} is held for {output.age(ends_s - context.clock.now_s())} more")
