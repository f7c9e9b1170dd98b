"""`remuda completion`: what the shell needs to complete our commands."""

from typing import Final

import click
from click.shell_completion import get_completion_class

from remuda.cli.terminal import say

_VARIABLE: Final = "_REMUDA_COMPLETE"
_SHELLS: Final = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    For bash: eval "$(remuda completion bash)"
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    # click asks the installed bash for its version, which an unusual one may not tell.
    root = ctx.find_root()
    say(kind(root.command, {}, root.info_name or "remuda", _VARIABLE).source())
