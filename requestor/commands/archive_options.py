"""The options of `remuda run` that say what is kept of a job, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from remuda.archive.bounds import BYTES_DEFAULT, SECONDS_DEFAULT, ArchiveBounds
from remuda.archive.fetch import FetchPath
from remuda.archive.places import KEEP_S, ArchivePlace, check_folder, parse_place
from remuda.cli.durations import duration
from remuda.cli.errors import MistakeError
from remuda.cloud.objects import KEEP_S_MAX
from remuda.config.units import WrongValueError, parse_size
from requestor.errors import InvalidOptionsError
from requestor.fetching import fetch_paths

F = TypeVar("F", bound=Callable[..., Any])

ALWAYS, ON_FAILURE = "always", "failure"
_MIB: Final = 1024**2


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    try:
        mib = parse_size(value)
    except WrongValueError as error:
        raise click.BadParameter(f"{value!r} {error}; {error.hint}") from error
    if isinstance(mib, int) and mib <= 0:
        raise click.BadParameter(f"{value!r} is not more than nothing")
    return mib * _MIB if isinstance(mib, int) else None


_OPTIONS: Final = (
    click.option(
        "--archive",
        "paths",
        metavar="PATH[=NAME]",
        multiple=True,
        help="Keep this file or folder of the machine; may be repeated (docs/archive.md).",
    ),
    click.option(
        "--archive-to",
        "to",
        metavar="CLOUD:CONTAINER[/PREFIX]|FOLDER",
        help="Where: a container of a cloud of clouds.yaml, or a folder here.",
    ),
    click.option(
        "--archive-when",
        "when",
        type=click.Choice([ALWAYS, ON_FAILURE]),
        help=f"If the command fails, or always. [default: {ALWAYS}]",
    ),
    click.option(
        "--archive-keep",
        "keep_s",
        metavar="DURATION",
        callback=duration,
        help="How long the cloud keeps it. [default: 30d]",
    ),
    click.option(
        "--archive-limit",
        "bytes_max",
        metavar="SIZE",
        callback=_size,
        help="Keep no more than that. [default: 2GiB]",
    ),
    click.option(
        "--archive-timeout",
        "seconds",
        metavar="DURATION",
        callback=duration,
        help="Take no longer for it. [default: 15m]",
    ),
    click.option(
        "--archive-public",
        "public",
        is_flag=True,
        help="Everybody who knows its address may read it.",
    ),
)
_NAMES: Final = ("paths", "to", "when", "keep_s", "bytes_max", "seconds", "public")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOrder:
    """What to keep of a job, and where.

    Attributes:
        always: Also of one that went well.
        keep_s: How long an object store keeps it.
    """

    paths: tuple[FetchPath, ...]
    place: ArchivePlace
    always: bool
    keep_s: float
    public: bool
    bounds: ArchiveBounds

    def wanted(self, code: int) -> bool:
        """Say whether a job that ended with *code* is archived."""
        return self.always or code != 0


def archive_options(command: F) -> F:
    """Add the options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def archive_of(options: dict[str, Any]) -> ArchiveOrder | None:
    """Take the options of :func:`archive_options` out of *options*; None: nothing is kept.

    Raises:
        MistakeError: They make no sense; one sentence.
    """
    given = {name: options.pop(name) for name in _NAMES}
    if not given["paths"]:
        if any(given.values()):
            raise MistakeError("--archive-…: nothing is kept without --archive PATH")
        return None
    if not given["to"]:
        raise MistakeError(
            "--archive: where to? Add --archive-to CLOUD:CONTAINER/PREFIX, or a folder"
        )
    try:
        paths = fetch_paths([_path(text) for text in given["paths"]])
    except (InvalidOptionsError, ValueError) as error:
        raise MistakeError(f"--archive: {error}") from error
    try:
        place = parse_place(given["to"])
        if place.folder is not None:
            check_folder(place.folder)
    except ValueError as error:
        raise MistakeError(f"--archive-to: {error}") from error
    if place.folder is not None and given["keep_s"] is not None:
        raise MistakeError("--archive-keep: nobody deletes what is in a folder; leave it out")
    keep_s = given["keep_s"] or KEEP_S
    if not 1 <= keep_s <= KEEP_S_MAX:
        raise MistakeError("--archive-keep: write a time from 1s to ten years")
    bounds = ArchiveBounds(
        bytes_max=given["bytes_max"] or BYTES_DEFAULT,
        seconds=given["seconds"] or SECONDS_DEFAULT,
    )
    return ArchiveOrder(
        paths=paths,
        place=place,
        always=given["when"] != ON_FAILURE,
        keep_s=keep_s,
        public=given["public"],
        bounds=bounds,
    )


def _path(text: str) -> FetchPath:
    """Return what ``PATH=NAME`` means.

    Raises:
        ValueError: One sentence.
    """
    path, equals, name = text.rpartition("=")
    return FetchPath(path, name) if equals else FetchPath.of(text)
