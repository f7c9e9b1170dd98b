"""Names of images, builds and providers for the shell; a shell that completes never fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import click
from click.shell_completion import CompletionItem

from remuda.cli.context import CommandContext
from remuda.cli.errors import CommandFailedError
from remuda.cli.image.arguments import known_images
from remuda.config.problems import ConfigInvalidError
from remuda.model.image import IMAGE_NAME, number_of
from remuda.store import paths
from remuda.store.api import Store, StoreError
from remuda.store.options import StoreOptions

#: Somebody has pressed a key, and waits.
_CONNECT_S: Final = 2.0
_NAMES_MAX: Final = 1_000


def complete_images(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the images on record that begin so."""
    return _asked(ctx, known_images, incomplete)


def complete_builds(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return images, and behind a slash their builds, the newest first."""
    image, slash, _ = incomplete.partition("/")
    if not slash:
        return complete_images(ctx, param, incomplete)
    if not IMAGE_NAME.fullmatch(image):
        return []

    def builds(store: Store) -> list[str]:
        numbers = map(number_of, store.children(paths.builds(image)))
        return [f"{image}/{one}" for one in sorted(filter(None, numbers), reverse=True)]

    return _asked(ctx, builds, incomplete)


def complete_providers(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the providers in which the image that was written has a pointer, or all."""

    def providers(store: Store) -> list[str]:
        written = ctx.params.get("image") or ctx.params.get("build")
        image = written[0] if isinstance(written, tuple) else written
        if isinstance(image, str) and IMAGE_NAME.fullmatch(image):
            return list(store.children(paths.pointers(image)))
        return list(store.children(paths.PROVIDERS))

    return _asked(ctx, providers, incomplete)


def _asked(
    ctx: click.Context, ask: Callable[[Store], list[str]], incomplete: str
) -> list[CompletionItem]:
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
