"""Commands that move pointers: promote, rollback, withdraw, pin, unpin, restore in one provider."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import MistakeError
from remuda.cli.image.arguments import (
    JSON,
    WHY,
    ImageCommand,
    build_name,
    image_name,
    image_or_build,
    images_or_builds,
    require_build,
    require_image,
    require_provider,
    word,
)
from remuda.cli.image.completing import complete_builds, complete_images, complete_providers
from remuda.cli.image.record_writer import ImageRecordWriter, move_pointer, same_word
from remuda.cli.terminal import say
from remuda.cli.views.boots import BootOutcome, boots_sheet
from remuda.config.units import WrongValueError, parse_duration
from remuda.images import library, moves
from remuda.images.catalogue import Catalogue
from remuda.images.comparison import what_moves_change
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError, Shelf
from remuda.images.state import image_states
from remuda.images.writes import NotBootableError
from remuda.model.image import BuildId, Word
from remuda.model.pointer import Pointer
from remuda.store.api import Op, Store
from remuda.visible import visible

EXIT_REFUSED: Final = 1
_PROVIDER: Final = click.option(
    "--provider",
    help="Only there; else in all that have the image.",
    shell_complete=complete_providers,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One image whose pointers are to move.

    Attributes:
        move: Returns a pointer as it is to be, from the image in its provider.
        number: The build that has to be on record, if one was named.
        only_current: Move only where the named build is current.
        anywhere: It may be the first pointer of a provider, or move to another place.
    """

    image: str
    move: Callable[[Shelf], Pointer]
    number: int | None = None
    only_current: bool = False
    anywhere: bool = False


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image promote debian-ci",
        "remuda image promote debian-ci/12 --provider east --why 'checked by hand'",
    ),
)
@click.argument(
    "image", callback=image_or_build, metavar="IMAGE[/N]", shell_complete=complete_builds
)
@_PROVIDER
@WHY
@JSON
@with_context
def promote(
    *,
    context: CommandContext,
    image: tuple[str, int | None],
    provider: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Make a newer build current: the newest that is usable, or build N."""
    said = word(context, why)
    name, number = image
    ask = Ask(
        image=name,
        number=number,
        move=lambda shelf: moves.promote(shelf, number, said),
        anywhere=True,
    )
    _move_all(context, [ask], provider, said, as_json=as_json)


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image rollback debian-ci --why 'tests cannot reach the mirror'",
        "remuda image rollback debian-ci/12",
        "remuda image rollback debian-ci ubuntu-ci --provider east",
    ),
)
@click.argument(
    "images",
    callback=images_or_builds,
    metavar="IMAGE[/N]...",
    nargs=-1,
    required=True,
    shell_complete=complete_builds,
)
@_PROVIDER
@WHY
@JSON
@with_context
def rollback(
    *,
    context: CommandContext,
    images: tuple[tuple[str, int | None], ...],
    provider: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Go back to the build before, in every provider; with /N only where N is current.

    The build that was current is withdrawn there: nothing makes it current again by itself.
    """
    said = word(context, why)
    asks = [
        Ask(
            image=name,
            number=number,
            only_current=number is not None,
            move=partial(moves.rollback, word=said),
        )
        for name, number in images
    ]
    _move_all(context, asks, provider, said, as_json=as_json)


@click.command(
    cls=ImageCommand,
    examples=("remuda image withdraw debian-ci --why 'jobs are slow on it'",),
)
@click.argument("image", callback=image_name, metavar="IMAGE", shell_complete=complete_images)
@_PROVIDER
@WHY
@JSON
@with_context
def withdraw(
    *, context: CommandContext, image: str, provider: str | None, why: str, as_json: bool
) -> None:
    """Try the canary of an image no more; ready nodes of it are replaced.

    Nothing makes that build current by itself; the current build stays as it is.
    """
    said = word(context, why)
    ask = Ask(image=image, move=partial(moves.withdraw, word=said))
    _move_all(context, [ask], provider, said, as_json=as_json)


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image pin debian-ci/11 --until 8h --why 'release week'",
        "remuda image pin debian-ci/11 --provider east --until 2026-12-24T18:00+01:00",
    ),
)
@click.argument("build", callback=build_name, metavar="IMAGE/N", shell_complete=complete_builds)
@_PROVIDER
@click.option(
    "--until", metavar="WHEN", help="For so long (8h), or until a time (2026-12-24T18:00)."
)
@WHY
@JSON
@with_context
def pin(
    *,
    context: CommandContext,
    build: BuildId,
    provider: str | None,
    until: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Have launches boot one build, whatever becomes current meanwhile."""
    said = word(context, why)
    until_s = None if until is None else _until_s(until, said.at_s)
    ask = Ask(
        image=build.image,
        number=build.number,
        move=lambda shelf: moves.pin(shelf, build.number, said, until_s=until_s),
    )
    _move_all(context, [ask], provider, said, as_json=as_json)


@click.command(cls=ImageCommand, examples=("remuda image unpin debian-ci",))
@click.argument("image", callback=image_name, metavar="IMAGE", shell_complete=complete_images)
@_PROVIDER
@WHY
@JSON
@with_context
def unpin(
    *, context: CommandContext, image: str, provider: str | None, why: str, as_json: bool
) -> None:
    """Have launches boot what is current again."""
    said = word(context, why)
    ask = Ask(image=image, move=partial(moves.unpin, word=said))
    _move_all(context, [ask], provider, said, as_json=as_json, pinned_only=provider is None)


def restore_in(
    context: CommandContext, build: BuildId, provider: str, why: str, *, as_json: bool
) -> None:
    """Take back that a build was withdrawn in one provider."""
    said = word(context, why)
    ask = Ask(
        image=build.image,
        number=build.number,
        move=lambda shelf: moves.restore_here(shelf, build.number, said),
    )
    _move_all(context, [ask], provider, said, as_json=as_json)


def _until_s(text: str, now_s: float) -> float:
    """Return when ``8h`` is over, or the time that *text* names.

    Raises:
        MistakeError: If it is neither, or over already.
    """
    until_s = _moment_s(text, now_s)
    if until_s <= now_s:
        raise MistakeError(f"--until {text!r} is over already: a pin has to end in the future")
    return until_s


def _moment_s(text: str, now_s: float) -> float:
    try:
        seconds = parse_duration(text)
    except WrongValueError:
        seconds = None
    if isinstance(seconds, int | float):
        return now_s + seconds
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise MistakeError(
            f"--until {text!r} is neither a duration (8h) nor a time (2026-12-24T18:00+01:00)"
        ) from error


def _move_all(
    context: CommandContext,
    asks: Sequence[Ask],
    provider: str | None,
    said: Word,
    *,
    as_json: bool,
    pinned_only: bool = False,
) -> None:
    """Move pointers one by one, print what launches boot now, and tell what was refused."""
    outcomes: list[BootOutcome] = []
    with context.store() as store:
        writer = ImageRecordWriter(store, context.clock)
        targets = [_targets(store, context, ask, provider, pinned_only=pinned_only) for ask in asks]
        for ask, providers in zip(asks, targets, strict=True):
            outcomes += [_move(writer, ask, one, said) for one in providers]
        show_boots(store, context, dict.fromkeys(ask.image for ask in asks), outcomes, as_json)


def _targets(
    store: Store,
    context: CommandContext,
    ask: Ask,
    provider: str | None,
    *,
    pinned_only: bool,
) -> tuple[str, ...]:
    """Return where the pointers of an image are to move; nothing was written before.

    Raises:
        MistakeError: If there is no such image, build or provider.
        MoveRefusedError: If there is nothing that could be moved.
    """
    seen = Catalogue(library.read(store, only=[ask.image], launched=False))
    require_image(seen, store, context, ask.image)
    require_provider(seen, ask.image, provider)
    if ask.number is not None:
        require_build(seen, BuildId(ask.image, ask.number))
    pointers = seen.pointers.get(ask.image, {})
    if provider is not None:
        return (provider,)
    if ask.only_current:
        found = [one for one, pointer in pointers.items() if pointer.current == ask.number]
        if not found:
            raise MoveRefusedError(f"build {ask.image}/{ask.number} is current in no provider")
        return tuple(found)
    if pinned_only:
        pinned = tuple(one for one, pointer in pointers.items() if pointer.pinned is not None)
        if not pinned:
            raise MoveRefusedError(f"{ask.image} is pinned in no provider")
        return pinned
    providers = tuple(pointers) or seen.providers(ask.image)
    if not providers:
        raise MoveRefusedError(f"{ask.image} has no build in any provider yet")
    return providers


def _move(writer: ImageRecordWriter, ask: Ask, provider: str, said: Word) -> BootOutcome:
    before: list[int | None] = [None]

    def judge(seen: Catalogue) -> Sequence[Op]:
        shelf = seen.shelf(ask.image, provider, _place(seen, ask, provider))
        pointer = shelf.pointer
        if pointer is not None:
            before[0] = pointer.served(said.at_s)
            if ask.only_current and pointer.current != ask.number:
                raise MoveRefusedError(
                    f"build {ask.image}/{ask.number} is not current in {provider} any more"
                )
        return move_pointer(seen.library, ask.move(shelf))

    def happened(seen: Library) -> bool:
        stored = seen.pointers.get((ask.image, provider))
        return stored is not None and any(same_word(one.word, said) for one in stored.value.moves)

    try:
        writer.carry_out(
            judge,
            only=[ask.image],
            happened=happened,
            what=f"the pointer of {ask.image} in {provider}",
        )
    except (MoveRefusedError, NotBootableError) as error:
        return BootOutcome(image=ask.image, provider=provider, refused=str(error))
    return BootOutcome(image=ask.image, provider=provider, before=before[0])


def _place(seen: Catalogue, ask: Ask, provider: str) -> str | None:
    """Return where the pointer's builds lie, or the one that was named; None: look for it."""
    pointer = seen.pointers.get(ask.image, {}).get(provider)
    if pointer is not None and not ask.anywhere:
        return pointer.place
    build = seen.builds.get(ask.image, {}).get(ask.number or 0)
    upload = None if build is None else seen.upload_in(build, provider)
    return upload.id.place if upload is not None and upload.passed(provider) else None


def show_boots(
    store: Store,
    context: CommandContext,
    images: Iterable[str],
    outcomes: Sequence[BootOutcome],
    as_json: bool,  # noqa: FBT001 - as it comes from the option
) -> None:
    """Print what launches boot now, and end with code 1 if something was refused."""
    now_s = context.clock.now_s()
    found, told = [], dict[tuple[str, str], str]()
    for image in images:
        seen = Catalogue(library.read(store, only=[image], launched=False))
        states = image_states(seen, image, now_s=now_s)
        found += states
        before = {
            one.provider: one.before
            for one in outcomes
            if one.image == image and one.refused is None
        }
        told |= what_moves_change(store, seen, states, before)
    sheet = boots_sheet(found, outcomes, told, now_s=now_s)
    if as_json:
        output.emit_json(sheet.data)
    else:
        output.show([sheet])
    refused = [one for one in outcomes if one.refused is not None]
    for one in refused:
        say(visible(f"remuda: {one.provider}: {one.refused}"), err=True)
    if refused:
        raise click.exceptions.Exit(EXIT_REFUSED)
