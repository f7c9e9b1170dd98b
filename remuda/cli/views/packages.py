"""What is in a build, compared with the build before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remuda.cli.output import Sheet
from remuda.images.catalogue import Catalogue
from remuda.images.inventory import Difference, Inventory, differences
from remuda.model.build import Build
from remuda.model.image import BuildId

#: A new release of a distribution changes hundreds.
LINES_MAX: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of the packages of two builds.

    Attributes:
        before: The build that it is compared with, or None.
        found: What differs; None: the two lists are not on record.
        cut: Whether one of the lists was too long, so that its end was not compared.
    """

    build: Build
    before: Build | None = None
    found: tuple[Difference, ...] | None = None
    cut: bool = False

    @property
    def text(self) -> str:
        """What is known, in one clause."""
        if self.build.inventory is None:
            return "no inventory of it is on record"
        if self.before is None:
            return "there is no build before it to compare with"
        number = self.before.id.number
        if self.before.inventory is None:
            return f"no inventory of build {number} is on record to compare with"
        if self.before.inventory == self.build.inventory:
            return f"the same as in build {number}"
        if self.found is None:
            return f"other than in build {number}; which they are is not on record"
        counts = [(word, sum(one.change == word for one in self.found)) for word in _WORDS]
        told = ", ".join(f"{count} {word}" for word, count in counts if count)
        return f"other than in build {number}: {told or 'what differs was not kept'}"


_WORDS: Final = ("added", "removed", "changed")


def build_before(seen: Catalogue, build: Build) -> Build | None:
    """Return the build that was made for the same providers before, if it came to something."""
    older = reversed([*seen.builds.get(build.id.image, {}).values()])
    return next(
        (
            one
            for one in older
            if one.id < build.id and one.group == build.group and one.snapshot is not None
        ),
        None,
    )


def compare(
    seen: Catalogue, build: Build, inventories: Mapping[BuildId, Inventory | None]
) -> Comparison:
    """Compare a build with the one before it, by what is on record of them."""
    before = build_before(seen, build)
    now = inventories.get(build.id)
    then = None if before is None else inventories.get(before.id)
    if now is None or then is None:
        return Comparison(build=build, before=before)
    return Comparison(
        build=build, before=before, found=differences(then, now), cut=now.cut or then.cut
    )


def packages_sheet(one: Comparison, *, lines_max: int | None) -> Sheet:
    """Return what differs as a table, the first lines of it unless *lines_max* is None."""
    found = one.found or ()
    shown = found[:lines_max]
    rows = [(each.change, each.package, each.before or "-", each.after or "-") for each in shown]
    notes: Sequence[str] = ()
    if len(found) > len(shown):
        notes = [f"and {len(found) - len(shown)} more: --all"]
    if one.cut:
        notes = [*notes, "a list was too long to be kept: its end is not compared"]
    data = [
        {
            "change": each.change,
            "package": each.package,
            "before": each.before,
            "after": each.after,
        }
        for each in found
    ]
    return Sheet(
        columns=("CHANGE", "PACKAGE", "BEFORE", "AFTER"),
        rows=rows,
        data=None if one.found is None else data,
        notes=notes,
        title="packages",
    )
