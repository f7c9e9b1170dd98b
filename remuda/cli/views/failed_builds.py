"""Failed builds of an image as a table: grouped by what they have in common."""

from collections.abc import Mapping
from typing import Final

from remuda.cli.output import Sheet
from remuda.images.catalogue import Catalogue
from remuda.images.signature import FailureGroup, changed_since, grouped
from remuda.model.build import Build, BuildState
from remuda.model.fields import one_line

_SAID_CHARS_MAX: Final = 100
#: Numbers of builds in a row; JSON has all.
_NUMBERS_MAX: Final = 5


def failed_builds_sheet(seen: Catalogue, image: str) -> Sheet:
    """Return failures by step and last words, the group of the newest first."""
    builds = seen.builds.get(image, {})
    groups = grouped(one for one in builds.values() if one.state is BuildState.FAILED)
    changes = [changed_since(_good_before(builds, one), builds[one.builds[0]]) for one in groups]
    rows = [
        (
            one_line(one.last_step_and_words, _SAID_CHARS_MAX),
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
            "said": one.last_step_and_words,
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


def _good_before(builds: Mapping[int, Build], group: FailureGroup) -> Build | None:
    """Return the last build before the newest of a group that was made, for the same providers."""
    failed = builds[group.builds[0]]
    good = (
        one
        for number, one in builds.items()
        if number < failed.id.number and one.state is BuildState.BUILT
        if set(one.group) & set(failed.group) and one.revoked is None
    )
    return max(good, key=lambda one: one.id.number, default=None)
