"""Containers and objects: what there is in one region, with its bytes in files."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.clock import Clock

#: Swift's limit for one body.
BODY_BYTES_MAX: Final = 5 * 2**30
MIB: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a large object."""

    container: str
    name: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """An object.

    Attributes:
        etag: MD5 of its bytes; of one in segments, MD5 of their MD5s.
        meta: Headers that come back with it, by their names in lower case.
        ends_s: When it is there no more; None: never.
        file: Where its bytes are; None: in segments.
    """

    name: str
    size: int
    etag: str
    meta: Mapping[str, str]
    stored_s: float
    ends_s: float | None = None
    file: Path | None = None
    segments: tuple[Segment, ...] = ()


@dataclass(slots=True, kw_only=True)
class Bin:
    """A container."""

    name: str
    meta: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)
    made_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class AccountBins:
    """A project's containers."""

    meta: dict[str, str] = field(default_factory=dict)
    bins: dict[str, Bin] = field(default_factory=dict)


class ObjectState:
    """Everything of one region; what has ended is gone as soon as anybody looks."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._accounts: dict[str, AccountBins] = {}

    def account(self, name: str) -> AccountBins:
        """Return an account; Swift makes it when it is first used."""
        return self._accounts.setdefault(name, AccountBins())

    def bin(self, account: str, name: str) -> Bin | None:
        """Return a container."""
        return self.account(account).bins.get(name)

    def make_bin(self, account: str, name: str) -> Bin:
        """Make a container."""
        made = Bin(name=name, made_s=self._clock.now_s())
        self.account(account).bins[name] = made
        return made

    def blobs(self, bin_: Bin) -> list[Blob]:
        """Return a container's objects by name, as Swift sorts them."""
        for blob in [each for each in bin_.blobs.values() if self._over(each)]:
            self.drop(bin_, blob)
        return sorted(bin_.blobs.values(), key=lambda each: each.name.encode())

    def blob(self, bin_: Bin, name: str) -> Blob | None:
        """Return an object."""
        found = bin_.blobs.get(name)
        if found is not None and self._over(found):
            self.drop(bin_, found)
            return None
        return found

    def keep(self, bin_: Bin, blob: Blob) -> None:
        """Add an object, or put it in the place of another."""
        before = bin_.blobs.get(blob.name)
        bin_.blobs[blob.name] = blob
        if before is not None and before.file != blob.file:
            _unlink(before)

    def drop(self, bin_: Bin, blob: Blob) -> None:
        """Delete an object, but for its segments."""
        if bin_.blobs.get(blob.name) is blob:
            del bin_.blobs[blob.name]
        _unlink(blob)

    def used(self, account: str) -> int:
        """Return how many bytes an account has."""
        return sum(
            each.size
            for bin_ in self.account(account).bins.values()
            for each in self.blobs(bin_)
            if each.file is not None
        )

    def new_file(self) -> Path:
        """Return the path for the bytes of an object."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / uuid.uuid4().hex

    def parts(self, account: str, blob: Blob) -> Iterator[Path]:
        """Yield the files of an object.

        Raises:
            LookupError: A segment is gone.
        """
        if blob.file is not None:
            yield blob.file
        for each in blob.segments:
            bin_ = self.bin(account, each.container)
            found = self.blob(bin_, each.name) if bin_ is not None else None
            if found is None or found.file is None:
                raise LookupError(each.name)
            yield found.file

    def _over(self, blob: Blob) -> bool:
        return blob.ends_s is not None and blob.ends_s <= self._clock.now_s()


def _unlink(blob: Blob) -> None:
    if blob.file is not None:
        blob.file.unlink(missing_ok=True)
