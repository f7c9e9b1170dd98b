"""Which packages are in a build, compressed, in ``/remuda/image-logs/<image>/<number>/packages``.

The build's record has a hash of all of them: a list that is not of that hash is of another attempt
at the build. Names and versions are words of a machine, without blanks and of plain characters.
"""

import hashlib
import re
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError, quote
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import Store

SCHEMA: Final = 1
#: Of the znode. A server has some 600 packages, which take 8 KiB; a desktop has 3,000.
PACKED_BYTES_MAX: Final = 96 * 1024
#: Of the text, which compresses to a fifth or less: nobody makes us inflate more.
_TEXT_BYTES_MAX: Final = 4 * 1024 * 1024
PACKAGES_MAX: Final = 50_000
WORD: Final = re.compile(r"[!-~]{1,200}", re.ASCII)

#: A package with its architecture, and its version.
Package = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The packages of a build.

    Attributes:
        packages: In order of their names; of more than there is room for, the first.
        count: How many there are.
        digest: Hash of all of them.
    """

    packages: tuple[Package, ...]
    count: int
    digest: str

    @property
    def cut(self) -> bool:
        """Whether there are more than these."""
        return self.count > len(self.packages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One package that two builds do not have in common; several versions of it are one text."""

    package: str
    before: str | None
    after: str | None

    @property
    def change(self) -> str:
        """What has become of it, in one word."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def take(found: Collection[Package]) -> Inventory:
    """Return the inventory of a machine."""
    ordered = tuple(sorted(set(found)))
    digest = hashlib.sha256("\n".join(map(" ".join, ordered)).encode()).hexdigest()
    return Inventory(packages=ordered, count=len(ordered), digest=digest)


def encode_inventory(inventory: Inventory) -> bytes:
    """Return what is kept of it: all, or as much as there is room for."""
    packages = inventory.packages[:PACKAGES_MAX]
    packed = _pack(inventory, packages)
    if len(packed) <= PACKED_BYTES_MAX:
        return packed
    fits, too_many = 0, len(packages)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if len(_pack(inventory, packages[:middle])) <= PACKED_BYTES_MAX:
            fits = middle
        else:
            too_many = middle
    return _pack(inventory, packages[:fits])


def _pack(inventory: Inventory, packages: Sequence[Package]) -> bytes:
    head = f"{SCHEMA} {inventory.digest} {inventory.count}"
    return zlib.compress("\n".join([head, *map(" ".join, packages)]).encode(), 9)


def decode_inventory(build_id: BuildId, raw: bytes) -> Inventory:
    """Rebuild an inventory; the pair of :func:`encode_inventory`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"packages of {build_id}"
    head, *lines = _inflate(name, raw).split("\n")
    schema, digest, count = _words(name, head, 3)
    if schema != str(SCHEMA):
        raise CorruptRecordError(name, f"schema {quote(schema)}, not {SCHEMA}")
    if not (count.isdecimal() and len(count) <= len(str(PACKAGES_MAX)) + 1):
        raise CorruptRecordError(name, f"{quote(count)} is no number of packages")
    if len(lines) > min(int(count), PACKAGES_MAX):
        raise CorruptRecordError(name, f"{len(lines)} packages of {count}")
    packages = []
    for line in lines:
        package, version = _words(name, line, 2)
        packages.append((package, version))
    return Inventory(packages=tuple(packages), count=int(count), digest=digest)


def _inflate(name: str, raw: bytes) -> str:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(raw, _TEXT_BYTES_MAX).decode("ascii")
    except (zlib.error, UnicodeDecodeError) as exc:
        raise CorruptRecordError(name, f"it cannot be read: {exc}") from exc
    if not inflater.eof:
        raise CorruptRecordError(name, "it is cut short, or too long")
    return text


def _words(name: str, line: str, count: int) -> list[str]:
    words = line.split(" ")
    if len(words) != count or not all(map(WORD.fullmatch, words)):
        raise CorruptRecordError(name, f"{quote(line)} is not {count} words")
    return words


def differences(before: Inventory, after: Inventory) -> tuple[Difference, ...]:
    """Return what differs, by name; of lists that are cut, as far as both go."""
    one, other = _by_name(before), _by_name(after)
    ends = [max(names, default="") for names, of in ((one, before), (other, after)) if of.cut]
    return tuple(
        Difference(package=name, before=one.get(name), after=other.get(name))
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name) and all(name < end for end in ends)
    )


def _by_name(inventory: Inventory) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, version in inventory.packages:
        found[name] = f"{found[name]}, {version}" if name in found else version
    return found


def read_inventory(store: Store, build: Build) -> Inventory | None:
    """Return the packages of a build, or None if they are not on record.

    Raises:
        CorruptRecordError: If they cannot be read.
        NotPermittedError: If ZooKeeper does not let us see them.
        StoreAwayError: If it does not answer.
    """
    if build.inventory is None:
        return None
    stored = store.read(paths.image_packages(build.id))
    if stored is None:
        return None
    found = decode_inventory(build.id, stored.value)
    return found if found.digest == build.inventory else None
