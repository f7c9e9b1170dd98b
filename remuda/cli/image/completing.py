"""Names of images, builds and providers for the shell."""

import click
from click.shell_completion import CompletionItem

from remuda.cli.completing import asked
from remuda.cli.image.arguments import known_images
from remuda.model.image import IMAGE_NAME, number_of
from remuda.store import paths
from remuda.store.api import Store


def complete_images(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the images on record that begin so."""
    return asked(ctx, known_images, incomplete)


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

    return asked(ctx, builds, incomplete)


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

    return asked(ctx, providers, incomplete)
