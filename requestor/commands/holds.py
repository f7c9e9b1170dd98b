"""`remuda holds`: which machines are kept for people."""

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import PlainCommand
from remuda.cli.views.holds import holds_sheet


@click.command(cls=PlainCommand, examples=("remuda holds", "remuda holds --owner ada --json"))
@click.option("--owner", metavar="NAME", help="Only those of one owner.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
@with_context
def holds(*, context: CommandContext, owner: str | None, as_json: bool) -> None:
    """List machines that are kept for people, or will be.

    Owners are unproven: ZooKeeper does not tell who wrote a name.
    """
    with context.store() as store:
        sheet = holds_sheet(store, owner=owner, now_s=context.clock.now_s())
    if as_json:
        output.emit_json(sheet.data)
    else:
        output.show([sheet])
