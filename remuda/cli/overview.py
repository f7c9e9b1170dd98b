"""The commands that only look: nodes, requests, pools, status."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.caveats import NO_LAUNCHER, tell_what_is_missing, unknown
from remuda.cli.completing import complete_nodes
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import MistakeError, PlainCommand
from remuda.cli.known_names import check_filters
from remuda.cli.output import Sheet
from remuda.cli.views.nodes import NodeFilter, nodes_sheet
from remuda.cli.views.pools import pools_sheets
from remuda.cli.views.requests import requests_sheet
from remuda.cli.views.status import status_sheets
from remuda.cli.znode_names import as_shown
from remuda.insight import tree
from remuda.insight.live import LiveTrees, Wanted
from remuda.insight.tree import TreeReader, reader
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.store import paths

#: A screen that changes faster than this is hard to read, and redrawing costs.
_REDRAW_S: Final = 0.25
#: Ages grow although nothing happens.
_REFRESH_S: Final = 5.0

_NO_LAUNCHER: Final = Sheet(columns=(), rows=(), data=None, notes=(NO_LAUNCHER,))

View = Callable[[TreeReader, float], Sequence[Sheet]]

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
_WATCH: Final = click.option("--watch", is_flag=True, help="Go on showing what changes.")


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda nodes",
        "remuda nodes --state ready --state in-use --label small",
        "remuda nodes --watch",
        "remuda nodes 3000000001 --json",
    ),
)
@click.argument(
    "ids", metavar="[NODE]...", nargs=-1, callback=as_shown, shell_complete=complete_nodes
)
@click.option("--state", multiple=True, type=click.Choice([str(one) for one in NodeState]))
@click.option("--label", multiple=True, help="Only nodes of this label.")
@click.option("--provider", multiple=True, help="Only nodes of this provider.")
@_JSON
@_WATCH
@with_context
def nodes(
    *,
    context: CommandContext,
    ids: tuple[str, ...],
    state: tuple[str, ...],
    label: tuple[str, ...],
    provider: tuple[str, ...],
    as_json: bool,
    watch: bool,
) -> None:
    """List nodes."""
    chosen = NodeFilter(ids=ids, states=state, labels=label, providers=provider)

    def view(read: TreeReader, now_s: float) -> Sequence[Sheet]:
        sheet = nodes_sheet(read, chosen, now_s=now_s)
        missing = sorted(set(ids) - {str(one["id"]) for one in sheet.data})
        if missing and not watch:
            raise MistakeError(unknown(read, f"there is no node {', '.join(missing)}"))
        if not sheet.data and not watch:
            check_filters(read, labels=label, providers=provider)
        return (sheet,)

    roots: dict[str, int | Wanted] = {
        paths.NODES: 1,
        paths.STATUSES: 1,
        paths.PROVIDERS: paths.leads_to_launches,
        paths.TAKE_HOME: 1,
    }
    _look(context, view, roots, as_json=as_json, watch=watch)


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda requests",
        "remuda requests --state requested --json",
    ),
)
@click.option("--state", multiple=True, type=click.Choice([str(one) for one in RequestState]))
@_JSON
@_WATCH
@with_context
def requests(
    *, context: CommandContext, state: tuple[str, ...], as_json: bool, watch: bool
) -> None:
    """List requests in the order in which they are served."""

    def view(read: TreeReader, now_s: float) -> Sequence[Sheet]:
        return (requests_sheet(read, state, now_s=now_s),)

    _look(context, view, {paths.REQUESTS: 1}, as_json=as_json, watch=watch)


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda pools",
        "remuda pools --json",
    ),
)
@_JSON
@_WATCH
@with_context
def pools(*, context: CommandContext, as_json: bool, watch: bool) -> None:
    """List pools, their limits and the labels they offer."""
    roots = {paths.POOL_COMPONENTS: 1, paths.STATUSES: 1}
    _look(
        context,
        lambda read, _now_s: pools_sheets(read),
        roots,
        as_json=as_json,
        watch=watch,
        names=("pools", "labels"),
    )


@click.command(
    cls=PlainCommand,
    examples=(
        "remuda status",
        "remuda status --watch",
    ),
)
@_JSON
@_WATCH
@with_context
def status(*, context: CommandContext, as_json: bool, watch: bool) -> None:
    """Show providers, labels, requests and alarms of images at a glance."""
    roots = {
        paths.NODES: 1,
        paths.REQUESTS: 1,
        paths.STATUSES: 1,
        paths.REPLICAS: 2,
        paths.BUILDERS: 1,
    }
    _look(
        context,
        lambda read, now_s: status_sheets(read, now_s=now_s),
        roots,
        as_json=as_json,
        watch=watch,
        names=("providers", "labels", "requests", "images"),
    )


def _look(
    context: CommandContext,
    view: View,
    roots: Mapping[str, int | Wanted],
    *,
    as_json: bool,
    watch: bool,
    names: Sequence[str] = (),
) -> None:
    """Read and print once, or go on until Ctrl-C.

    Args:
        context: Where to look.
        view: Makes sheets of what is there.
        roots: What to mirror when watching, and how deep.
        as_json: Print data instead of tables; one line each time when watching.
        watch: Go on.
        names: Keys of the sheets in JSON; empty: there is one sheet, and it is the document.
    """
    with context.store() as store:
        if not watch:
            with _nothing_collected():
                read = reader(store)
                sheets = view(read, context.clock.now_s())
                if as_json:
                    output.emit_json(_document(sheets, names))
                else:
                    output.show(sheets)
                tell_what_is_missing(read)
            return
        wanted = {**roots, paths.POOL_COMPONENTS: 1}
        with LiveTrees(store, wanted) as trees, output.screen() as screen:
            seen = 0
            while True:
                news = trees.wait_news(seen, _REFRESH_S)
                if news == 0 or (news == seen and as_json):
                    continue  # not all read yet, or nothing new to say
                seen = news
                sheets = view(trees.read, context.clock.now_s())
                if as_json:
                    output.emit_line(
                        {"at_s": context.clock.now_s(), "data": _document(sheets, names)}
                    )
                else:
                    nobody = () if tree.served(trees.read) else (_NO_LAUNCHER,)
                    screen.draw([*sheets, *nobody])
                trees.pause(_REDRAW_S)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep Python from looking for garbage: of ten thousand records all are wanted to the end.

    It would look through them again and again, which takes a fifth of our time.
    """
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


def _document(sheets: Sequence[Sheet], names: Sequence[str]) -> Any:
    if not names:
        return sheets[0].data
    return {name: sheet.data for name, sheet in zip(names, sheets, strict=True)}
