"""``remuda config``: is a configuration file good, and what may it say?"""

from typing import Final

import click

from remuda.cli.context import CommandContext
from remuda.cli.errors import MistakeError
from remuda.cli.terminal import say
from remuda.config.contents import Contents
from remuda.config.loader import Reading, read
from remuda.config.name_guesses import nearest
from remuda.config.schema import schema as json_schema
from remuda.jsontext import to_json

#: Exit code of a file that cannot be used; the same as for a wrong command line.
EXIT_INVALID: Final = 2


@click.group()
def config() -> None:
    """Check the configuration file."""


@config.command()
@click.argument("file", type=click.Path(readable=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--provider",
    metavar="NAME",
    help="This host serves only this provider: keys and clouds of the others may lack here.",
)
@click.option("--strict", is_flag=True, help="Take warnings, of open doors too, for problems.")
@click.pass_context
def check(
    ctx: click.Context, file: str, provider: str | None, *, as_json: bool, strict: bool
) -> None:
    """Say everything that is wrong with FILE; exit 0 if it is good, 2 if not."""
    context = ctx.obj if isinstance(ctx.obj, CommandContext) else CommandContext()
    contents = Contents(now_s=context.clock.now_s())
    reading = read(file, provider=provider, look_closer=contents.check)
    if reading.config is not None and provider not in (None, *reading.config.providers):
        hint = nearest(str(provider), reading.config.providers)
        raise MistakeError(f"there is no provider {provider!r} in {file}; {hint}")
    if as_json:
        say(to_json(_document(reading), indent=2))
    else:
        _print(file, reading)
    if reading.config is None or (strict and reading.warnings):
        raise click.exceptions.Exit(EXIT_INVALID)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    say(to_json(json_schema(), indent=2))


def _print(file: str, reading: Reading) -> None:
    for problem in reading.problems:
        say(str(problem), err=True)
    for warning in reading.warnings:
        say(f"warning: {warning}", err=True)
    if reading.config is not None:
        labels = _counted(len(reading.config.labels), "label")
        providers = _counted(len(reading.config.providers), "provider")
        images = len(reading.config.images)
        made = f", {_counted(images, 'image')}" if images else ""
        say(f"{file}: good ({labels}, {providers}{made})")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _document(reading: Reading) -> dict[str, object]:
    return {
        "ok": reading.config is not None,
        "problems": [problem.as_dict() for problem in reading.problems],
        "warnings": [warning.as_dict() for warning in reading.warnings],
    }
