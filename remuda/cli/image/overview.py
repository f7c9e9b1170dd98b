"""`remuda image list` and `show`: images, their builds, and where these are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import click

from remuda.cli import output
from remuda.cli.caveats import tell_what_is_missing
from remuda.cli.context import CommandContext, with_context
from remuda.cli.image.arguments import (
    JSON,
    ImageCommand,
    configured,
    image_or_build,
    require_build,
    require_image,
)
from remuda.cli.image.completing import complete_builds
from remuda.cli.output import Sheet
from remuda.cli.views.boots import boots_sheet, state_json
from remuda.cli.views.build import Beside, build_sheets
from remuda.cli.views.differences import LINES_MAX, differences_sheet, measures_sheet
from remuda.cli.views.failed_builds import failed_builds_sheet
from remuda.cli.views.images import builds_sheet, images_sheet, moves_sheet, words_sheet
from remuda.cli.views.tallies import tallies_sheet
from remuda.config.problems import ConfigInvalidError
from remuda.images import library
from remuda.images.buildlog import Progress, read_progress
from remuda.images.catalogue import Catalogue
from remuda.images.comparison import build_before, compare_on_record
from remuda.images.plain import read_plain
from remuda.images.state import image_states
from remuda.images.words import BuilderWords, read_words
from remuda.insight import tree
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.model.tally import BuildTally
from remuda.store.api import NotPermittedError, Store


@click.command("list", cls=ImageCommand, examples=("remuda image list", "remuda image list --json"))
@JSON
@with_context
def list_images(*, context: CommandContext, as_json: bool) -> None:
    """List which build each image is at in each provider, and what comes next."""
    with context.store() as store:
        seen = Catalogue(library.read(store, launched=False, just_looking=True))
        words = _words(store, context)
        providers = {one for image in seen.images() for one in seen.providers(image)}
        notes = _unknown_orphans(store, words, providers)
        tell_what_is_missing(tree.reader(store))
    sheet = images_sheet(seen, words, now_s=context.clock.now_s())
    sheet = replace(sheet, notes=[*sheet.notes, *notes])
    if as_json:
        output.emit_json(sheet.data)
    else:
        output.show([sheet])


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image show debian-ci",
        "remuda image show debian-ci/12 --all",
        "remuda image show debian-ci/12 --json",
    ),
)
@click.argument(
    "image", callback=image_or_build, metavar="IMAGE[/N]", shell_complete=complete_builds
)
@click.option("--all", "everything", is_flag=True, help="Of a build: all that has changed.")
@JSON
@with_context
def show(
    *, context: CommandContext, image: tuple[str, int | None], everything: bool, as_json: bool
) -> None:
    """Show an image with its builds, or one build: where from, verdicts, news, who uses it."""
    name, number = image
    with context.store() as store:
        seen = Catalogue(library.read(store, just_looking=True))
        require_image(seen, store, context, name)
        words = _words(store, context)
        if number is None:
            plain = read_plain(store, seen.pointers.get(name, ()))
            boots, *others = _image_sheets(seen, words, name, plain, context.clock.now_s())
            notes = _unknown_orphans(store, words, seen.providers(name))
            sheets: Sequence[Sheet] = (replace(boots, notes=[*boots.notes, *notes]), *others)
            names: tuple[str, ...] = (
                *("providers", "builds", "failures", "tallies", "moves", "waits"),
            )
        else:
            build_id = BuildId(name, number)
            require_build(seen, build_id)
            build = seen.builds[name][number]
            beside = _beside(store, seen, build, words)
            found, lines_max = beside.compared, None if everything else LINES_MAX
            sheets = (
                *build_sheets(seen, build, beside, now_s=context.clock.now_s()),
                differences_sheet(found, lines_max=lines_max),
                measures_sheet(seen, found.before, build),
            )
            names = ("record", "uploads", "verdicts", "references", "differences", "measures")
    if as_json:
        document = {key: sheet.data for key, sheet in zip(names, sheets, strict=True)}
        alarms = list(words.alarms.get(name, ()))
        record = document.pop("record", {"image": name, "alarms": alarms})
        output.emit_json({**record, **document})
    else:
        output.show([one for one in sheets if one.rows or one.notes])


def _words(store: Store, context: CommandContext) -> BuilderWords:
    """Return what builders say; while none lives, what is configured says the file, if it can."""
    words = read_words(store)
    if words.living:
        return words
    try:
        found = configured(context)
    except ConfigInvalidError:
        return words  # to look at records takes no sound file
    if not found:
        return words  # a requestor's file, perhaps: it tells nothing of images
    return replace(words, providers={name: tuple(one.makings) for name, one in found.items()})


def _unknown_orphans(store: Store, words: BuilderWords, providers: Collection[str]) -> list[str]:
    """Return which providers may have left the configuration, while nobody says what is in it."""
    if words.living or words.providers is not None:
        return []
    alive = {one.provider for one in tree.pools(tree.reader(store)).records.values()}
    gone = sorted(set(providers) - alive)
    if not gone:
        return []
    names = ", ".join(gone)
    return [f"no launcher of {names} is running: what is there may be in no configuration any more"]


def _image_sheets(
    seen: Catalogue,
    words: BuilderWords,
    name: str,
    plain: Mapping[str, BuildTally],
    now_s: float,
) -> Sequence[Sheet]:
    found = image_states(seen, name, now_s=now_s, words=words)
    boots = boots_sheet(found, now_s=now_s)
    record = seen.library.images.get(name)
    notes = list(boots.notes)
    if record is not None and record.value.paused is not None:
        notes.append(f"paused by {record.value.paused.who}: {record.value.paused.why}")
    if record is not None and record.value.wanted is not None:
        wanted, above = record.value.wanted, record.value.wanted_above
        notes.append(f"{wanted.who} wanted a build above {above}: {wanted.why}")
    return (
        replace(boots, data=[state_json(one) for one in found], notes=notes),
        builds_sheet(seen, name, now_s=now_s),
        failed_builds_sheet(seen, name),
        tallies_sheet(seen, name, plain),
        moves_sheet(seen, name, now_s=now_s),
        words_sheet(seen, words, name, [one.provider for one in found]),
    )


def _beside(store: Store, seen: Catalogue, build: Build, words: BuilderWords) -> Beside:
    """Return what lies beside a build's record."""
    return Beside(
        progress=_progress(store, build.id),
        compared=compare_on_record(store, build, build_before(seen, build)),
        waits=words.about_build(str(build.id)),
    )


def _progress(store: Store, build_id: BuildId) -> Progress | None:
    """Return how far a build has come; a log that is broken, or closed, must not hide its build."""
    try:
        return read_progress(store, build_id)
    except (CorruptRecordError, NotPermittedError):
        return None
