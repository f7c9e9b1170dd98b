"""`remuda image diff`: what two builds of an image do not have in common."""

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import MistakeError
from remuda.cli.image.arguments import JSON, ImageCommand, build_name, require_build, require_image
from remuda.cli.image.completing import complete_builds
from remuda.cli.views.differences import LINES_MAX, difference_sheets
from remuda.images import library
from remuda.images.catalogue import Catalogue
from remuda.images.comparison import build_before, compare_on_record
from remuda.model.image import BuildId


def _other(ctx: click.Context, param: click.Parameter, value: str | None) -> BuildId | None:
    return None if value is None else build_name(ctx, param, value)


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image diff debian-ci/41 debian-ci/42",
        "remuda image diff debian-ci/42 --all",
        "remuda image diff debian-ci/41 debian-ci/42 --json",
    ),
)
@click.argument("build", callback=build_name, metavar="IMAGE/N", shell_complete=complete_builds)
@click.argument(
    "other",
    callback=_other,
    metavar="[IMAGE/M]",
    required=False,
    shell_complete=complete_builds,
)
@click.option("--all", "everything", is_flag=True, help="All that differs, not the first lines.")
@JSON
@with_context
def diff(
    *,
    context: CommandContext,
    build: BuildId,
    other: BuildId | None,
    everything: bool,
    as_json: bool,
) -> None:
    """Show what differs from build N to build M of an image; or since the build before N.

    Packages, services, files by folder; and of both the size, and the times of boots and checks.
    """
    before, after = (None, build) if other is None else (build, other)
    if before is not None and before.image != after.image:
        raise MistakeError(f"{before} and {after} are of two images: their recipes tell them apart")
    with context.store() as store:
        seen = Catalogue(library.read(store, only=[after.image], launched=False, just_looking=True))
        require_image(seen, store, context, after.image)
        for one in filter(None, (before, after)):
            require_build(seen, one)
        builds = seen.builds[after.image]
        now = builds[after.number]
        then = build_before(seen, now) if before is None else builds[before.number]
        found = compare_on_record(store, now, then)
    head, *sheets = difference_sheets(seen, found, lines_max=None if everything else LINES_MAX)
    if as_json:
        names = ("differences", "measures")
        parts = {name: sheet.data for name, sheet in zip(names, sheets, strict=True)}
        output.emit_json({**head.data, **parts})
    else:
        output.show([one for one in (head, *sheets) if one.rows or one.notes])
