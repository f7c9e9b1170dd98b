"""What `remuda image` is asked for: names and builds on the command line, who asks, and why."""

from collections.abc import Iterable
from typing import Final

import click

from remuda.cli.context import CommandContext
from remuda.cli.errors import CommandFailedError, MistakeError, PlainCommand
from remuda.config import loader
from remuda.config.model import Config
from remuda.config.name_guesses import nearest
from remuda.config.recipes import ImageRecipe, recipes
from remuda.images.catalogue import Catalogue
from remuda.images.moves import MoveRefusedError
from remuda.images.writes import NotBootableError
from remuda.model.image import IMAGE_NAME, BuildId, Word, parse_build
from remuda.runtime.whoami import user_at_host
from remuda.store import paths
from remuda.store.api import Store

#: What is written where somebody gave no reason.
NO_REASON: Final = "no reason given"

JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md).")
WHY: Final = click.option(
    "--why", metavar="TEXT", default=NO_REASON, help="For the others: it is on record and shown."
)


class ImageCommand(PlainCommand):
    """A command that says in one sentence what the records of images do not allow."""

    def known_errors(self) -> tuple[type[Exception], ...]:
        """Return the errors that :meth:`explain_error` knows."""
        return (*super().known_errors(), MoveRefusedError, NotBootableError)

    def explain_error(self, error: Exception) -> CommandFailedError:
        """Return *error* as a sentence with an exit code."""
        if isinstance(error, MoveRefusedError | NotBootableError):
            return CommandFailedError(str(error), 1)
        return super().explain_error(error)


def image_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Return the name of an image.

    Raises:
        click.BadParameter: If it cannot be one.
    """
    if not IMAGE_NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no name of an image")
    return value


def image_names(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the names of several images, each once."""
    return tuple(dict.fromkeys(image_name(ctx, param, one) for one in value))


def build_name(_ctx: click.Context, _param: click.Parameter, value: str) -> BuildId:
    """Return the build that ``<image>/<number>`` names.

    Raises:
        click.BadParameter: If it names none.
    """
    found = parse_build(value)
    if found is None:
        raise click.BadParameter(f"{value!r} names no build: write IMAGE/NUMBER")
    return found


def image_or_build(
    _ctx: click.Context, _param: click.Parameter, value: str
) -> tuple[str, int | None]:
    """Return an image, and the number of a build if one is named.

    Raises:
        click.BadParameter: If it is neither.
    """
    found = parse_build(value)
    if found is not None:
        return found.image, found.number
    if not IMAGE_NAME.fullmatch(value):
        raise click.BadParameter(f"{value!r} is neither an image nor a build, IMAGE/NUMBER")
    return value, None


def images_or_builds(
    ctx: click.Context, param: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, int | None], ...]:
    """Return several images or builds, each once."""
    return tuple(dict.fromkeys(image_or_build(ctx, param, one) for one in value))


def word(context: CommandContext, why: str) -> Word:
    """Return that whoever calls the command wants it now."""
    return Word(who=user_at_host(), why=why.strip() or NO_REASON, at_s=context.clock.now_s())


def known_images(store: Store) -> list[str]:
    """Return the names of all images on record."""
    return [name for name in store.children(paths.IMAGES) if IMAGE_NAME.fullmatch(name)]


def configured(context: CommandContext) -> dict[str, ImageRecipe]:
    """Return the images of the configuration file; none if no file was named, or only ZooKeeper.

    Raises:
        ConfigInvalidError: If it cannot be used.
    """
    if context.config is None:
        return {}
    config = loader.load_for_user(context.config)
    if not isinstance(config, Config):
        return {}
    return dict(recipes(config.images, config.image_defaults, config.providers))


def require_image(catalogue: Catalogue, store: Store, context: CommandContext, image: str) -> None:
    """Refuse an image of which nothing is on record.

    Raises:
        CommandFailedError: If the configuration has it, but no builder has ever seen it.
        MistakeError: If nobody knows it, with the nearest name.
        StoreAwayError: If ZooKeeper does not answer.
    """
    if image in catalogue.images():
        return
    path = paths.image(image)
    if path in catalogue.library.unreadable:
        raise CommandFailedError(f"the record of image {image} is broken", 1)
    files = configured(context)
    if image in files:
        raise CommandFailedError(
            f"image {image} is in the configuration, but not on record: no builder has started "
            "with it yet",
            1,
        )
    known = sorted({*known_images(store), *files})
    if not known:
        raise MistakeError(
            f"there is no image {image!r}: none is on record, for no builder has started yet"
        )
    raise MistakeError(f"there is no image {image!r}; {nearest(image, known)}")


def require_build(catalogue: Catalogue, build_id: BuildId) -> None:
    """Refuse a build that is not on record.

    Raises:
        MistakeError: With those that are.
    """
    builds = catalogue.builds.get(build_id.image, {})
    if build_id.number in builds:
        return
    if paths.build(build_id) in catalogue.library.unreadable:
        raise MistakeError(f"the record of build {build_id} is broken")
    there = numbers(builds) or "there is none"
    raise MistakeError(f"there is no build {build_id}; on record: {there}")


def require_provider(catalogue: Catalogue, image: str, provider: str | None) -> None:
    """Refuse a provider that has nothing to do with an image.

    Raises:
        MistakeError: With the nearest name.
    """
    known = catalogue.providers(image)
    if provider is not None and provider not in known:
        raise MistakeError(f"{image} is not in a provider {provider!r}; {nearest(provider, known)}")


def numbers(some: Iterable[int], most: int = 10) -> str:
    """Return the last of some numbers as a list for people."""
    ordered = sorted(some)
    more = "… " if len(ordered) > most else ""
    return more + ", ".join(map(str, ordered[-most:]))
