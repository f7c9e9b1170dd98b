"""Who refers to what, read from the bare records: nothing of the code under test is asked.

It knows the records as docs/znodes.md tells them, and the rule of docs/adr/0018: an upload that
anything but a launch refers to does not retire; while it retires nothing new refers to it; what is
deleted nothing refers to.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fakes.store import FakeZookeeper

#: Image, number of the build, place.
Key = tuple[str, int, str]
Doc = Mapping[str, Any]

_UNDER_WAY: Final = {"requested", "building", "snapshotting"}
#: There is a whole image, from which another may be made.
_WHOLE: Final = {"stored", "validating", "usable"}
_ENDING: Final = {"retiring", "deleting"}


class BrokenRuleError(AssertionError):
    """Something was done that must not be."""


@dataclass(frozen=True, slots=True)
class Moment:
    """All records at one time.

    Attributes:
        uploads: The records of uploads.
        refers: What refers to each.
        odd: Paths of what nobody can read.
    """

    uploads: Mapping[Key, Doc] = field(default_factory=dict)
    pointers: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)
    refers: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    odd: frozenset[str] = frozenset()

    def state(self, key: Key) -> str | None:
        """Return the state of an upload, or None: it is not on record."""
        doc = self.uploads.get(key)
        return None if doc is None else str(doc["state"])

    def by(self, key: Key) -> frozenset[str]:
        """Return what refers to an upload."""
        return self.refers.get(key, frozenset())

    def hindered(self, key: Key) -> frozenset[str]:
        """Return what hinders an upload to retire: all that refers but launches."""
        return frozenset(one for one in self.by(key) if not one.startswith("launch"))


class Oracle:
    """Judges every write, and every image that goes.

    Attributes:
        now: The records after the last write.
        seen: How many things have referred to an upload, by kind: a history without any proves
            nothing.
    """

    def __init__(self, zookeeper: FakeZookeeper) -> None:
        self._tree = zookeeper.tree
        self._read: dict[str, tuple[bytes, Doc | None]] = {}
        self.seen: defaultdict[str, set[str]] = defaultdict(set)
        self.now = self._moment()

    def written(self) -> None:
        """Judge the write that was just made."""
        before, self.now = self.now, self._moment()
        for some in self.now.refers.values():
            for one in some:
                self.seen[one.split()[0]].add(one)
        for key in {*before.uploads, *self.now.uploads}:
            self._judge(key, before)
        for name, keys in self.now.pointers.items():
            for key in keys:
                if self.now.state(key) != "usable":
                    raise BrokenRuleError(f"{name} names {key}, {self.now.state(key)}")

    def _judge(self, key: Key, before: Moment) -> None:
        old, new = before.state(key), self.now.state(key)
        who = self.now.by(key)
        if new == "retiring" != old:
            self._refuse(self.now.hindered(key), f"{key} retires")
        if new == "deleting" or (new is None and old is not None):
            self._refuse(who, f"{key} is to be deleted, or gone")
        if old in _ENDING:
            self._refuse(who - before.by(key), f"{key} was {old} before it was referred to")
        if new is None and old not in {None, "deleting"}:
            raise BrokenRuleError(f"{key} is off record, and was {old}")

    def _refuse(self, who: frozenset[str], what: str) -> None:
        if who:
            raise BrokenRuleError(f"{what}, but there is {min(who)}")

    def erased(self, image_id: str, places: Collection[str]) -> None:
        """Judge that an image is gone from the cloud of some places."""
        for key, doc in self.now.uploads.items():
            if doc.get("cloud_image") != image_id or key[2] not in places:
                continue
            if doc["state"] != "deleting" or self.now.by(key):
                who = min(self.now.by(key), default="nobody")
                raise BrokenRuleError(
                    f"the image of {key}, {doc['state']}, is gone: {who} needs it"
                )

    # Reading.

    def _moment(self) -> Moment:
        docs, odd = {}, set()
        for path in self._tree.paths():
            doc = self._doc(path)
            if doc is not None:
                docs[path] = doc
            elif _kind(path):
                odd.add(path)
        uploads = {_upload_key(one): doc for one, doc in docs.items() if _kind(one) == "upload"}
        pointers = {
            path: tuple(_pointed(path, doc))
            for path, doc in docs.items()
            if _kind(path) == "pointer"
        }
        refers: defaultdict[Key, set[str]] = defaultdict(set)
        for path, doc in docs.items():
            for key, who in _references(path, doc, uploads):
                refers[key].add(who)
        for path, keys in pointers.items():
            for key in keys:
                refers[key].add(f"pointer {path}")
        frozen = {key: frozenset(some) for key, some in refers.items()}
        return Moment(uploads=uploads, pointers=pointers, refers=frozen, odd=frozenset(odd))

    def _doc(self, path: str) -> Doc | None:
        if not _kind(path):
            return None
        node = self._tree.get(path)
        assert node is not None
        before = self._read.get(path)
        if before is None or before[0] != node.data:
            before = self._read[path] = node.data, _parsed(node.data)
        return before[1]


def _parsed(raw: bytes) -> Doc | None:
    try:
        doc = json.loads(raw)
    except ValueError:
        return None
    return doc if isinstance(doc, dict) and doc.get("schema") == 1 else None


def _kind(path: str) -> str:
    match path.split("/")[2:]:
        case ["images", _, "builds", _]:
            return "build"
        case ["images", _, "builds", _, "uploads", _]:
            return "upload"
        case ["images", _, "pointers", _]:
            return "pointer"
        case ["providers", _, "launches", _]:
            return "launch"
        case _:
            return ""


def _upload_key(path: str) -> Key:
    parts = path.split("/")
    return parts[3], int(parts[5]), parts[7]


def _pointed(path: str, doc: Doc) -> Iterator[Key]:
    pinned = (doc.get("pinned") or {}).get("build")  # one that is over, too
    for number in (doc["current"], doc.get("previous"), doc.get("canary"), pinned):
        if number is not None:
            yield path.split("/")[3], number, doc["place"]


def _references(path: str, doc: Doc, uploads: Mapping[Key, Doc]) -> Iterator[tuple[Key, str]]:
    match _kind(path):
        case "launch" if doc.get("image_build"):
            image, _, number = doc["image_build"].rpartition("/")
            yield (image, int(number), doc["image_place"]), f"launch {path}"
        case "build" if doc["state"] in _UNDER_WAY and doc.get("parent") and doc.get("place"):
            image, _, number = doc["parent"].rpartition("/")
            yield (image, int(number), doc["place"]), f"child {path}"
        case "upload":
            yield from _of_upload(path, doc, uploads)


def _of_upload(path: str, doc: Doc, uploads: Mapping[Key, Doc]) -> Iterator[tuple[Key, str]]:
    image, number, place = _upload_key(path)
    state, source = doc["state"], doc.get("source")
    if doc.get("trying"):
        yield (image, number, place), f"trial {path}"
    shared = doc.get("method") == "share" and doc.get("cloud_image")
    if source and (state == "making" or (shared and state not in {"pending", "failed"})):
        yield (image, number, source), f"{'share' if shared else 'copy'} {path}"
    if state == "pending":
        # Any whole one may become what it is made from.
        for key, other in uploads.items():
            if key[:2] == (image, number) and key[2] != place and other["state"] in _WHOLE:
                yield key, f"pending {path}"
