"""What differs between two builds of an image, as far as it is on record."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remuda.images.catalogue import Catalogue
from remuda.images.inventory import (
    Difference,
    Inventory,
    ItemKind,
    differences,
    read_inventory,
)
from remuda.images.state import ImageState
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.store.api import NotPermittedError, Store

#: In one sentence, of a difference that is told beside something else.
_SAID_MAX: Final = 3
_WORDS: Final = ("added", "removed", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of the contents of two builds.

    Attributes:
        before: The build that it is compared with, or None.
        found: What differs; None: the two lists are not on record.
        cut: Whether one of the lists was too long, so that its end was not compared.
        alike: Whether both were listed in one way; else only their packages are compared.
    """

    build: Build
    before: Build | None = None
    found: tuple[Difference, ...] | None = None
    cut: bool = False
    alike: bool = True

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
        counts = Counter((one.kind, one.change) for one in self.found)
        told = (
            f"{kind}s: " + ", ".join(f"{counts[kind, word]} {word}" for word in words)
            for kind in ItemKind
            if (words := [word for word in _WORDS if counts[kind, word]])
        )
        return f"other than in build {number}: {'; '.join(told) or 'what differs was not kept'}"

    @property
    def notes(self) -> list[str]:
        """What people have to know who read what differs."""
        notes = []
        if self.cut:
            notes.append("a list was too long to be kept: its end is not compared")
        if not self.alike:
            notes.append("their files were listed in two ways: only packages are compared")
        before = self.before
        if (
            before is not None
            and self.found
            and bool(before.since_full) != bool(self.build.since_full)
        ):
            full, other = sorted((before, self.build), key=lambda one: one.since_full)
            notes.append(
                f"build {full.id.number} was made from the base, build {other.id.number} from the "
                f"build before it, {other.since_full} in a row: what differs may be what these "
                "have left"
            )
        return notes


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


def compare_on_record(store: Store, build: Build, before: Build | None) -> Comparison:
    """Compare a build with another one; a list that is broken, or closed, is not on record.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    some = (build,) if before is None else (build, before)
    return compare(build, before, {one.id: _inventory(store, one) for one in some})


def _inventory(store: Store, build: Build) -> Inventory | None:
    try:
        return read_inventory(store, build)
    except (CorruptRecordError, NotPermittedError):
        return None


def compare(
    build: Build, before: Build | None, inventories: Mapping[BuildId, Inventory | None]
) -> Comparison:
    """Compare a build with another one, by what is on record of them."""
    now = inventories.get(build.id)
    then = None if before is None else inventories.get(before.id)
    if now is None or then is None:
        return Comparison(build=build, before=before)
    return Comparison(
        build=build,
        before=before,
        found=differences(then, now),
        cut=now.cut or then.cut,
        alike=now.measure == then.measure,
    )


def said_of(one: Comparison) -> str | None:
    """Return what differs in one sentence, packages first; None: nothing, or nobody knows."""
    if not one.found or one.before is None:
        return None
    told = "; ".join(each.text for each in one.found[:_SAID_MAX])
    more = len(one.found) - _SAID_MAX
    rest = f"; and {more} more" if more > 0 else ""
    return f"since build {one.before.id.number}: {told}{rest}"


def what_moves_change(
    store: Store,
    seen: Catalogue,
    states: Iterable[ImageState],
    before: Mapping[str, int | None],
) -> dict[tuple[str, str], str]:
    """Return, by image and provider, how what launches boot now differs from what they did.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
    """
    told: dict[tuple[str, str], str] = {}
    sentences: dict[tuple[BuildId, BuildId], str | None] = {}
    for one in states:
        builds = seen.builds.get(one.image, {})
        now, then = builds.get(one.boots or 0), builds.get(before.get(one.provider) or 0)
        if now is None or then is None or now.id == then.id:
            continue
        pair = (then.id, now.id)
        if pair not in sentences:
            sentences[pair] = said_of(compare_on_record(store, now, then))
        sentence = sentences[pair]
        if sentence is not None:
            told[one.image, one.provider] = sentence
    return told
