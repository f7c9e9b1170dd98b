"""The `remuda` command: a group whose parts are loaded only when they are called."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

import remuda
from remuda.cli.context import CommandContext
from remuda.cli.errors import CommandFailedError, MistakeError, PlainReader, usage_mistake
from remuda.cli.extras import advice
from remuda.cli.summaries import SUMMARIES
from remuda.visible import visible_lines

#: Other packages add commands under this entry point group, so that we need not import them.
ENTRY_POINTS: Final = "remuda.commands"

#: The core's own commands, as ``module:object``.
OWN: Final[Mapping[str, str]] = {
    "capsule": "remuda.cli.capsule:capsule",
    "completion": "remuda.cli.completion:completion",
    "config": "remuda.cli.config:config",
    "delete": "remuda.cli.deleting:delete",
    "demo": "remuda.cli.demo.command:demo",
    "dev": "remuda.cli.dev.command:dev",
    "explain": "remuda.cli.explaining:explain",
    "failures": "remuda.cli.failures:failures",
    "image": "remuda.cli.image.command:image",
    "nodes": "remuda.cli.overview:nodes",
    "pools": "remuda.cli.overview:pools",
    "requests": "remuda.cli.overview:requests",
    "status": "remuda.cli.overview:status",
}

Loader = Callable[[], click.Command]


def _load(place: str) -> click.Command:
    module, _, name = place.partition(":")
    command = getattr(import_module(module), name)
    if not isinstance(command, click.Command):
        raise TypeError(f"{place} is not a command")
    return command


def _own(place: str) -> Loader:
    return lambda: _load(place)


def own_loaders(places: Mapping[str, str]) -> dict[str, Loader]:
    """Return how to load the commands that are at ``module:object``, by name."""
    return {name: _own(place) for name, place in places.items()}


def installed_loaders(group: str = ENTRY_POINTS) -> dict[str, Loader]:
    """Return how to load the commands of installed packages, our daemons among them."""
    from importlib import metadata  # noqa: PLC0415 - slow, and most commands are our own

    return {one.name: _own(one.value) for one in metadata.entry_points(group=group)}


class Commands(PlainReader, click.Group):
    """A group that imports a command when it is asked for.

    Args:
        own: Says how to load our commands, by name.
        others: Says the same of those that other packages add, which takes longer to find out.
        summaries: What commands do, as far as it is known without importing them.
    """

    def __init__(
        self,
        *,
        own: Mapping[str, Loader],
        others: Callable[[], Mapping[str, Loader]] = dict,
        summaries: Mapping[str, str] = MappingProxyType({}),
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]  # passed on as they came
        self._own = own
        self._others: Callable[[], Mapping[str, Loader]] = cache(others)
        self._summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *self._own, *self._others()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command.

        Raises:
            CommandFailedError: If its package is there but cannot be imported.
        """
        loader: Loader | None = self._own.get(cmd_name) or self._others().get(cmd_name)
        if loader is None:
            return super().get_command(ctx, cmd_name)
        try:
            return loader()
        except ImportError as error:
            raise CommandFailedError(
                f"the command {cmd_name!r} cannot be loaded here: {error}{advice(error.name)}", 1
            ) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant.

        Raises:
            MistakeError: If there is none of that name, with the nearest.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and name[:1] != "-" and not ctx.resilient_parsing:
            from remuda.config.name_guesses import nearest  # noqa: PLC0415 - for who mistypes only

            known = nearest(name, self.list_commands(ctx))
            raise MistakeError(f"there is no command {ctx.command_path} {name}; {known}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it quotes of its arguments steers no terminal.

        Raises:
            click.ClickException: As of the command, in one sentence, with its words made visible.
        """
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise usage_mistake(error) from error
        except click.ClickException as error:
            error.message = visible_lines(error.message)  # type: ignore[misc]  # click reads it
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does; of the others that cannot be loaded nobody knows it."""
        rows = []
        for name in self.list_commands(ctx):
            command = self._described(ctx, name)
            if command is not None and not command.hidden:
                rows.append((name, command.get_short_help_str(formatter.width - 20)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _described(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command, or what stands for it in a list; None if it cannot be loaded here."""
        if name in self._summaries:
            return click.Command(name, help=self._summaries[name])
        try:
            return self.get_command(ctx, name)
        except CommandFailedError:
            return None


@click.command(
    cls=Commands,
    own=own_loaders(OWN),
    others=installed_loaders,
    summaries=SUMMARIES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(remuda.__version__, prog_name="remuda")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration file that says where ZooKeeper is. [env: REMUDA_CONFIG]",
)
@click.option("--zookeeper", metavar="HOSTS", help="HOST:PORT,… [env: REMUDA_ZOOKEEPER]")
@click.pass_context
def main(ctx: click.Context, config: Path | None, zookeeper: str | None) -> None:
    """Fresh, checked, disposable machines for tests, warm on several clouds.

    `remuda dev` starts everything on this machine to try it out.
    """
    if ctx.obj is None:
        ctx.obj = CommandContext(config=config, zookeeper=zookeeper)
