"""`remuda image pause, resume, delete`: what a person wants, left for builders to do."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import CommandFailedError
from remuda.cli.image.arguments import (
    JSON,
    WHY,
    ImageCommand,
    build_name,
    image_name,
    require_build,
    require_image,
    word,
)
from remuda.cli.image.completing import complete_builds, complete_images
from remuda.cli.image.record_writer import ImageRecordWriter, same_word, set_build, set_image
from remuda.cli.terminal import say
from remuda.images import library
from remuda.images.catalogue import Catalogue
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError
from remuda.model.build import Build, BuildState
from remuda.model.image import BuildId, ImageRecord
from remuda.store.api import Op, Store


@click.command(
    cls=ImageCommand, examples=("remuda image pause debian-ci --why 'the mirror is being moved'",)
)
@click.argument("image", callback=image_name, metavar="IMAGE", shell_complete=complete_images)
@WHY
@JSON
@with_context
def pause(*, context: CommandContext, image: str, why: str, as_json: bool) -> None:
    """Begin no build of an image, and let nothing new become current, until it is resumed."""
    said = word(context, why)

    def judge(record: ImageRecord) -> ImageRecord:
        if record.paused is not None:
            by = record.paused
            raise MoveRefusedError(f"{image} was paused by {by.who} already: {by.why}")
        return replace(record, paused=said)

    with context.store() as store:
        change_image(store, context, image, judge, lambda one: same_word(one.paused, said))
    _tell({"image": image, "paused": True}, f"{image} is paused", as_json=as_json)


@click.command(cls=ImageCommand, examples=("remuda image resume debian-ci",))
@click.argument("image", callback=image_name, metavar="IMAGE", shell_complete=complete_images)
@JSON
@with_context
def resume(*, context: CommandContext, image: str, as_json: bool) -> None:
    """Build an image again, and let it move on."""

    def judge(record: ImageRecord) -> ImageRecord:
        if record.paused is None:
            raise MoveRefusedError(
                f"{image} is not paused on record; if it waits, look at its configuration"
            )
        return replace(record, paused=None)

    with context.store() as store:
        change_image(store, context, image, judge, lambda one: one.paused is None)
    _tell({"image": image, "paused": False}, f"{image} is not paused any more", as_json=as_json)


@click.command(
    cls=ImageCommand, examples=("remuda image delete debian-ci/9 --why 'takes too much room'",)
)
@click.argument("build", callback=build_name, metavar="IMAGE/N", shell_complete=complete_builds)
@WHY
@JSON
@with_context
def delete(*, context: CommandContext, build: BuildId, why: str, as_json: bool) -> None:
    """Have a build deleted, in all clouds, once no node and no other build uses it any more."""
    said = word(context, why)

    def judge(seen: Catalogue) -> Sequence[Op]:
        require_build(seen, build)
        before = seen.builds[build.image][build.number]
        _refuse_if_kept(seen, before)
        return [set_build(seen.library, replace(before, unwanted=said))]

    def happened(seen: Library) -> bool:
        stored = seen.builds.get(build)
        return stored is None or same_word(stored.value.unwanted, said)

    with context.store() as store:
        require_there(store, context, build.image)
        ImageRecordWriter(store, context.clock).carry_out(
            judge, only=[build.image], happened=happened, what=f"build {build}"
        )
    sentence = f"build {build} is deleted by builders once nothing uses it any more"
    _tell({"build": str(build), "unwanted": True}, sentence, as_json=as_json)


def _refuse_if_kept(seen: Catalogue, build: Build) -> None:
    """Refuse to delete what a pointer names, what was deleted already, and what is going.

    Raises:
        MoveRefusedError: With the command that has to come first.
    """
    image, number = build.id
    if build.unwanted is not None:
        by = build.unwanted
        raise MoveRefusedError(f"build {build.id} was deleted by {by.who} already: {by.why}")
    if build.state is BuildState.RETIRING:
        raise MoveRefusedError(f"build {build.id} is being deleted already")
    first = {
        "current": f"remuda image rollback {image} --provider",
        "pinned": f"remuda image unpin {image} --provider",
        "canary": f"remuda image withdraw {image} --provider",
    }
    for provider, pointer in seen.pointers.get(image, {}).items():
        for name, named in pointer.named():
            if named != number:
                continue
            command = first.get(name)
            advice = (
                "a rollback goes to it, and it goes by itself with the next build"
                if command is None
                else f"first: {command} {provider}"
            )
            raise MoveRefusedError(f"build {build.id} is {name} in {provider}; {advice}")


def require_there(store: Store, context: CommandContext, image: str) -> Catalogue:
    """Return what is on record of an image.

    Raises:
        CommandFailedError: If nothing is, with the nearest name.
    """
    seen = Catalogue(library.read(store, only=[image], launched=False))
    require_image(seen, store, context, image)
    return seen


def change_image(
    store: Store,
    context: CommandContext,
    image: str,
    judge: Callable[[ImageRecord], ImageRecord],
    happened: Callable[[ImageRecord], bool],
) -> ImageRecord:
    """Write an image's own record, and return it as it was before.

    Raises:
        CommandFailedError: If there is none, or others write it all the time.
        MoveRefusedError: If *judge* says so.
    """
    last: list[ImageRecord] = []

    def operations(seen: Catalogue) -> Sequence[Op]:
        stored = seen.library.images.get(image)
        if stored is None:
            raise CommandFailedError(f"the record of image {image} cannot be read", 1)
        last[:] = [stored.value]
        return [set_image(seen.library, judge(stored.value))]

    def shown(seen: Library) -> bool:
        stored = seen.images.get(image)
        return stored is not None and happened(stored.value)

    require_there(store, context, image)
    ImageRecordWriter(store, context.clock).carry_out(
        operations, only=[image], happened=shown, what=f"image {image}"
    )
    return last[0]


def _tell(document: dict[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        output.emit_json(document)
    else:
        say(sentence)
