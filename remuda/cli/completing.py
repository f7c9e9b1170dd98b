"""Names for the shell; a shell that completes never fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import click
from click.shell_completion import CompletionItem

from remuda.cli.context import CommandContext
from remuda.cli.errors import CommandFailedError
from remuda.cli.znode_names import shown_name
from remuda.config.problems import ConfigInvalidError
from remuda.insight import tree
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Store, StoreError
from remuda.store.options import StoreOptions

#: Somebody has pressed a key, and waits.
_CONNECT_S: Final = 2.0
_NAMES_MAX: Final = 1_000


def complete_nodes(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the nodes on record that begin so."""
    return asked(ctx, lambda store: _listed(store, paths.NODES), incomplete)


def complete_held(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the nodes that are held."""

    def held(store: Store) -> list[str]:
        nodes = tree.nodes(tree.reader(store)).records
        return [shown_name(name) for name, one in nodes.items() if one.state is NodeState.HOLD]

    return asked(ctx, held, incomplete)


def complete_in_use(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the nodes that are in use, or held: those that somebody may have kept."""

    def used(store: Store) -> list[str]:
        nodes = tree.nodes(tree.reader(store)).records
        kept = {NodeState.IN_USE, NodeState.HOLD}
        return [shown_name(name) for name, one in nodes.items() if one.state in kept]

    return asked(ctx, used, incomplete)


def complete_taken_home(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the holds that have become images, or are to."""
    return asked(ctx, lambda store: _listed(store, paths.TAKE_HOME), incomplete)


def complete_autoholds(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the autoholds on record."""
    return asked(ctx, lambda store: _listed(store, paths.AUTOHOLDS), incomplete)


def _listed(store: Store, parent: str) -> list[str]:
    """Return the names of what lies there, as the commands take them."""
    return sorted(map(shown_name, store.children(parent)))


def asked(
    ctx: click.Context, ask: Callable[[Store], list[str]], incomplete: str
) -> list[CompletionItem]:
    """Return the names that *ask* finds and that begin so; none if nobody can be asked."""
    try:
        with _around(ctx).store() as store:
            names = ask(store)
    except (StoreError, CommandFailedError, ConfigInvalidError, OSError):
        return []
    fit = [one for one in names if one.startswith(incomplete) and one.isprintable()]
    return [CompletionItem(one) for one in fit[:_NAMES_MAX]]


def _around(ctx: click.Context) -> CommandContext:
    """Return the context as the command would have them, with less patience."""
    given = ctx.find_object(CommandContext)
    if given is not None:
        return given
    context = CommandContext(connect=_connect)
    inner: click.Context | None = ctx
    while inner is not None:
        context = replace(
            context,
            config=context.config or inner.params.get("config"),
            zookeeper=context.zookeeper or inner.params.get("zookeeper"),
        )
        inner = inner.parent
    return context


def _connect(options: StoreOptions) -> Store:
    from remuda.store.zookeeper import ZookeeperStore  # noqa: PLC0415 - slow

    return ZookeeperStore.connect(options, wait_s=_CONNECT_S, waiting=lambda _why: None)
