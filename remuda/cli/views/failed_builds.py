"""Failed builds of an image as a table: grouped by what they have in common."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from remuda.cli.output import Sheet
from remuda.images.catalogue import Catalogue
from remuda.images.failed import FailureGroup, changed_since, grouped, last_good
from remuda.model.build import BuildState
from remuda.model.fields import one_line
from remuda.model.image import BuildId
from remuda.model.upload import Upload

_SAID_CHARS_MAX: Final = 100
#: Numbers of builds in a row; JSON has all.
_NUMBERS_MAX: Final = 5


def failed_builds_sheet(seen: Catalogue, image: str) -> Sheet:
    """Return failures by step and last words, the group of the newest first."""
    builds = seen.builds.get(image, {})
    groups = grouped(one for one in builds.values() if one.state is BuildState.FAILED)
    newest = [builds[one.builds[0]] for one in groups]
    changes = [
        changed_since(last_good(builds.values(), partial(_uploads, seen), one), one)
        for one in newest
    ]
    rows = [
        (
            one_line(one.said, _SAID_CHARS_MAX),
            str(one.blame),
            _numbers(one),
            changed,
        )
        for one, changed in zip(groups, changes, strict=True)
    ]
    data = [
        {
            "signature": one.signature,
            "blame": str(one.blame),
            "builds": list(one.builds),
            "said": one.said,
            "changed": changed,
        }
        for one, changed in zip(groups, changes, strict=True)
    ]
    columns = ("FAILURE", "WHOSE", "BUILDS", "CHANGED")
    return Sheet(columns=columns, rows=rows, data=data, title="failures")


def _numbers(group: FailureGroup) -> str:
    shown = ", ".join(map(str, group.builds[:_NUMBERS_MAX]))
    more = len(group.builds) - _NUMBERS_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _uploads(seen: Catalogue, build_id: BuildId) -> Iterable[Upload]:
    return seen.uploads.get(build_id, {}).values()
