"""What is in a build, compressed, in ``/remuda/image-logs/<image>/<number>/inventory``.

Packages, services, and files by folder. The build's record has a hash of all of them: a list that
is not of that hash is of another attempt at the build. All words of it are a machine's, without
blanks and of plain characters.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.images.squeezed import inflate, squeeze
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError, quote
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import Store

SCHEMA: Final = 2
#: Of the znode. A server has some 600 packages and 900 folders, which take 24 KiB.
PACKED_BYTES_MAX: Final = 96 * 1024
#: Of the text, which compresses to a fifth or less: nobody makes us inflate more.
_TEXT_BYTES_MAX: Final = 4 * 1024 * 1024
PACKAGES_MAX: Final = 50_000
SERVICES_MAX: Final = 5_000
FOLDERS_MAX: Final = 4_000
_ITEMS_MAX: Final = PACKAGES_MAX + SERVICES_MAX + FOLDERS_MAX
WORD: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
#: Of a hash, which is kept of each folder: enough to tell two of them from each other.
_DIGITS: Final = 24
_FOLDER: Final = re.compile(r"([0-9]{1,16}):([0-9]{1,16}):[0-9a-f]{24}", re.ASCII)
#: Nothing but packages was listed.
NO_MEASURE: Final = "-"

#: A package with its architecture, and its version.
Package = tuple[str, str]
#: A service, and what starts it.
Service = tuple[str, str]


class ItemKind(StrEnum):
    """What an item of an inventory is."""

    PACKAGE = "package"
    SERVICE = "service"
    FOLDER = "folder"


_LETTERS: Final = {ItemKind.PACKAGE: "p", ItemKind.SERVICE: "s", ItemKind.FOLDER: "f"}
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
#: As they are listed.
_ORDER: Final = tuple(ItemKind)
_RANKS: Final = {kind: rank for rank, kind in enumerate(_ORDER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The files of a folder, with all below it if it is three levels deep.

    Attributes:
        bytes: Of all its files.
        digest: Hash of their names, modes, owners, sizes, and contents if these were read.
    """

    name: str
    files: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineContents:
    """What a machine has besides its packages.

    Attributes:
        measure: How it was listed, one word: only what was listed alike is compared.
    """

    measure: str
    services: tuple[Service, ...] = ()
    folders: tuple[Folder, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a build.

    Attributes:
        value: Version of a package, what starts a service, or ``files:bytes:hash`` of a folder.
    """

    kind: ItemKind
    name: str
    value: str

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in a list."""
        return _RANKS[self.kind], self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What is in a build.

    Attributes:
        items: In their order; of more than there is room for, the first.
        count: How many there are.
        digest: Hash of all of them.
        measure: As in :class:`MachineContents`; ``-``: nothing but packages was listed.
    """

    items: tuple[Item, ...]
    count: int
    digest: str
    measure: str = NO_MEASURE

    @property
    def cut(self) -> bool:
        """Whether there are more than these."""
        return self.count > len(self.items)

    @property
    def whole(self) -> bool:
        """Whether its hash stands for all that is in the build, and not for its packages alone."""
        return self.measure != NO_MEASURE

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages among them."""
        return tuple((one.name, one.value) for one in self.items if one.kind is ItemKind.PACKAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two builds do not have in common; several values of it are one text."""

    kind: ItemKind
    name: str
    before: str | None
    after: str | None

    @property
    def change(self) -> str:
        """What has become of it, in one word."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def text(self) -> str:
        """Say it in one clause."""
        before, after = show_value(self.kind, self.before), show_value(self.kind, self.after)
        if self.before is None:
            return f"{self.name} {after} is new"
        if self.after is None:
            return f"{self.name} {before} is gone"
        if before == after:
            return f"{self.name} has other contents"
        return f"{self.name} {before} → {after}"


def show_value(kind: ItemKind, value: str | None) -> str:
    """Return what an item has, for people; of a folder how much is in it."""
    found = None if value is None or kind is not ItemKind.FOLDER else _FOLDER.fullmatch(value)
    if found is None:
        return value or "-"
    files, size = int(found[1]), int(found[2])
    return f"{files} file{'' if files == 1 else 's'}, {show_bytes(size)}"


def show_bytes(size: int) -> str:
    """Return a number of bytes for people."""
    if size < 1024:  # noqa: PLR2004 - so many are a KiB
        return f"{size} B"
    return f"{size / 2**10:.1f} KiB" if size < 2**20 else f"{size / 2**20:.1f} MiB"


def take(packages: Collection[Package], contents: MachineContents | None = None) -> Inventory:
    """Return the inventory of a machine; without *contents* it is of packages alone."""
    found = {Item(ItemKind.PACKAGE, name, version) for name, version in packages}
    if contents is not None:
        found |= {Item(ItemKind.SERVICE, name, where) for name, where in contents.services}
        found |= {_item(one) for one in contents.folders}
    measure = NO_MEASURE if contents is None else contents.measure
    items = tuple(sorted(found, key=lambda one: (one.place, one.value)))
    digest = digest_of(items, measure)
    return Inventory(items=items, count=len(items), digest=digest, measure=measure)


def digest_of(items: Iterable[Item], measure: str) -> str:
    """Return the hash of all that is in a build, from what is kept of it."""
    lines = (f"{one.kind} {one.name} {one.value}" for one in items)
    return hashlib.sha256("\n".join((measure, *lines)).encode()).hexdigest()


def _item(one: Folder) -> Item:
    value = f"{one.files}:{one.bytes}:{one.digest[:_DIGITS]}"
    return Item(ItemKind.FOLDER, one.name, value)


def encode_inventory(inventory: Inventory) -> bytes:
    """Return what is kept of it: all, or as much as there is room for."""
    items = inventory.items[:_ITEMS_MAX]
    packed = _pack(inventory, items)
    if len(packed) <= PACKED_BYTES_MAX:
        return packed
    fits, too_many = 0, len(items)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if len(_pack(inventory, items[:middle])) <= PACKED_BYTES_MAX:
            fits = middle
        else:
            too_many = middle
    return _pack(inventory, items[:fits])


def _pack(inventory: Inventory, items: Sequence[Item]) -> bytes:
    head = f"{SCHEMA} {inventory.digest} {inventory.count} {inventory.measure}"
    lines = (f"{_LETTERS[one.kind]} {one.name} {one.value}" for one in items)
    return squeeze("\n".join([head, *lines]).encode())


def decode_inventory(build_id: BuildId, raw: bytes) -> Inventory:
    """Rebuild an inventory; the pair of :func:`encode_inventory`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"inventory of {build_id}"
    head, *lines = inflate(name, raw, _TEXT_BYTES_MAX).split("\n")
    if head.split(" ")[0] != str(SCHEMA):
        raise CorruptRecordError(name, f"schema {quote(head.split(' ')[0])}, not {SCHEMA}")
    _, digest, count, measure = _words(name, head, 4)
    if not (count.isdecimal() and len(count) <= len(str(_ITEMS_MAX)) + 1):
        raise CorruptRecordError(name, f"{quote(count)} is no number of items")
    if len(lines) > min(int(count), _ITEMS_MAX):
        raise CorruptRecordError(name, f"{len(lines)} items of {count}")
    items = tuple(_read_item(name, line) for line in lines)
    return Inventory(items=items, count=int(count), digest=digest, measure=measure)


def _read_item(name: str, line: str) -> Item:
    letter, item, value = _words(name, line, 3)
    kind = _KINDS.get(letter)
    if kind is None:
        raise CorruptRecordError(name, f"{quote(letter)} is no kind of item")
    if kind is ItemKind.FOLDER and not _FOLDER.fullmatch(value):
        raise CorruptRecordError(name, f"{quote(value)} is nothing of a folder")
    return Item(kind, item, value)


def _words(name: str, line: str, count: int) -> list[str]:
    words = line.split(" ")
    if len(words) != count or not all(map(WORD.fullmatch, words)):
        raise CorruptRecordError(name, f"{quote(line)} is not {count} words")
    return words


def differences(before: Inventory, after: Inventory) -> tuple[Difference, ...]:
    """Return what differs, in order; of lists that are cut, as far as both go.

    Only packages are compared of two that were not listed alike.
    """
    one, other = _by_place(before), _by_place(after)
    ends = [max(of, default=(0, "")) for of, inv in ((one, before), (other, after)) if inv.cut]
    alike, packages = before.measure == after.measure, _RANKS[ItemKind.PACKAGE]
    return tuple(
        Difference(
            kind=_ORDER[place[0]], name=place[1], before=one.get(place), after=other.get(place)
        )
        for place in sorted({*one, *other})
        if one.get(place) != other.get(place)
        and all(place < end for end in ends)
        and (alike or place[0] == packages)
    )


def _by_place(inventory: Inventory) -> Mapping[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    for item in inventory.items:
        place, value = item.place, item.value
        found[place] = f"{found[place]}, {value}" if place in found else value
    return found


def read_inventory(store: Store, build: Build) -> Inventory | None:
    """Return what is in a build, or None if it is not on record.

    Raises:
        CorruptRecordError: If it cannot be read.
        NotPermittedError: If ZooKeeper does not let us see it.
        StoreAwayError: If it does not answer.
    """
    if build.inventory is None:
        return None
    stored = store.read(paths.image_inventory(build.id))
    if stored is None:
        return None
    found = decode_inventory(build.id, stored.value)
    return found if found.digest == build.inventory else None
