"""`remuda image revoke` and `restore`: a build with all that was made from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.image.arguments import (
    JSON,
    WHY,
    ImageCommand,
    build_name,
    require_build,
    require_image,
    word,
)
from remuda.cli.image.completing import complete_builds, complete_providers
from remuda.cli.image.moving import restore_in
from remuda.cli.image.record_writer import (
    ImageRecordWriter,
    each_once,
    move_pointer,
    same_word,
    set_build,
)
from remuda.cli.views.boots import BootOutcome, boots_sheet
from remuda.images import library, revoking
from remuda.images.catalogue import Catalogue
from remuda.images.library import Library
from remuda.images.moves import Shelf
from remuda.images.revoking import Changes
from remuda.images.state import image_states
from remuda.model.build import Build
from remuda.model.image import BuildId, Word
from remuda.store.api import Op

#: From all builds, and every image in every provider that has a pointer to it.
_Judge = Callable[[Mapping[BuildId, Build], Sequence[Shelf]], Changes]


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image revoke debian-ci/12 --why CVE-2026-1234",
        "remuda image revoke debian-ci/12 --force --why 'better none than this one'",
    ),
)
@click.argument("build", callback=build_name, metavar="IMAGE/N", shell_complete=complete_builds)
@click.option("--force", is_flag=True, help="Even if launches have to wait then.")
@WHY
@JSON
@with_context
def revoke(
    *, context: CommandContext, build: BuildId, force: bool, why: str, as_json: bool
) -> None:
    """Never boot a build again, nor what was made from it; ready nodes of them are retired."""
    said = word(context, why)

    def judge(builds: Mapping[BuildId, Build], shelves: Sequence[Shelf]) -> Changes:
        return revoking.revoke(builds, shelves, build, said, force=force)

    def happened(seen: Library) -> bool:
        stored = seen.builds.get(build)
        revoked = None if stored is None else stored.value.revoked
        return revoked is not None and same_word(revoked.word, said)

    _change(context, build, judge, happened, said, as_json=as_json)


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image restore debian-ci/12",
        "remuda image restore debian-ci/12 --provider east",
    ),
)
@click.argument("build", callback=build_name, metavar="IMAGE/N", shell_complete=complete_builds)
@click.option(
    "--provider",
    help="Take back that it was withdrawn there (by a rollback), not that it was revoked.",
    shell_complete=complete_providers,
)
@WHY
@JSON
@with_context
def restore(
    *, context: CommandContext, build: BuildId, provider: str | None, why: str, as_json: bool
) -> None:
    """Take back that a build was revoked; with a provider, that it was withdrawn there.

    No pointer moves for it: a build that is the newest becomes current as others do.
    """
    if provider is not None:
        restore_in(context, build, provider, why, as_json=as_json)
        return
    said = word(context, why)

    def judge(builds: Mapping[BuildId, Build], shelves: Sequence[Shelf]) -> Changes:
        return revoking.restore(builds, shelves, build, said)

    def happened(seen: Library) -> bool:
        stored = seen.builds.get(build)
        return stored is not None and stored.value.revoked is None

    _change(context, build, judge, happened, said, as_json=as_json)


def _change(
    context: CommandContext,
    build_id: BuildId,
    judge: _Judge,
    happened: Callable[[Library], bool],
    said: Word,
    *,
    as_json: bool,
) -> None:
    last: list[tuple[Catalogue, Changes]] = []

    def operations(seen: Catalogue) -> Sequence[Op]:
        require_build(seen, build_id)
        builds = {one: stored.value for one, stored in seen.library.builds.items()}
        changes = judge(builds, _shelves(seen))
        last[:] = [(seen, changes)]
        ops: list[Op] = [set_build(seen.library, one) for one in changes.builds]
        for pointer in changes.pointers:
            ops += move_pointer(seen.library, pointer)
        return each_once(ops)

    with context.store() as store:
        require_image(
            Catalogue(library.read(store, only=[build_id.image], launched=False)),
            store,
            context,
            build_id.image,
        )
        ImageRecordWriter(store, context.clock).carry_out(
            operations, only=None, happened=happened, what=f"build {build_id}"
        )
        after = Catalogue(library.read(store, launched=False))
    before, changes = last[0]
    _show(
        before,
        after,
        changes,
        build_id,
        said=said,
        now_s=context.clock.now_s(),
        as_json=as_json,
    )


def _shelves(seen: Catalogue) -> list[Shelf]:
    return [
        seen.shelf(image, provider, pointer.place)
        for image, pointers in seen.pointers.items()
        for provider, pointer in pointers.items()
    ]


def _show(
    before: Catalogue,
    after: Catalogue,
    changes: Changes,
    build_id: BuildId,
    *,
    said: Word,
    now_s: float,
    as_json: bool,
) -> None:
    builds = [str(one.id) for one in changes.builds]
    images = dict.fromkeys([build_id.image, *(one.id.image for one in changes.builds)])
    outcomes = [
        BootOutcome(image=image, provider=provider, before=pointer.served(said.at_s))
        for image in images
        for provider, pointer in before.pointers.get(image, {}).items()
    ]
    found = [one for image in images for one in image_states(after, image, now_s=now_s)]
    sheet = boots_sheet(found, outcomes, now_s=now_s)
    if as_json:
        output.emit_json({"builds": builds, "boots": sheet.data})
        return
    others = [one for one in builds if one != str(build_id)]
    notes = [f"with what was made from it: {', '.join(others)}"] if others else []
    output.show([replace(sheet, notes=[*sheet.notes, *notes])])
