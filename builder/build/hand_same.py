"""Reads what is current, and ends a build that is the same, in one transaction that proves it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from builder.build import same, writes
from builder.build.same import Contents
from builder.hands.held_record import HeldRecord
from builder.policy import ImagePolicy
from remuda.images.inventory import Inventory
from remuda.model.build import Build, decode_build
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId, UploadId, number_of
from remuda.model.pointer import decode_pointer
from remuda.model.upload import Upload, decode_upload
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import NotPermittedError, Op, RejectedError, Store, Stored

#: Each one more means that a pointer has moved, or an upload was tried, in between.
_ATTEMPTS_MAX: Final = 5
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a comparison with what is current, and what is said of it."""

    same: bool
    said: str


def keep_as_same(
    store: Store,
    record: HeldRecord[Build],
    contents: Contents | None,
    *,
    policy: ImagePolicy,
    places: Mapping[str, str],
    clock: Clock,
) -> Comparison:
    """Write that a build is the same as the current one, if it is.

    Raises:
        TakenOverError: The build is somebody else's now.
        StoreAwayError: ZooKeeper stays away.
        HandStoppedError: The hand had to stop while it was away.
    """
    why = same.why_kept(record.value, contents, policy)
    if why is not None or contents is None:
        return Comparison(same=False, said=f"not compared: {why}")
    for _ in range(_ATTEMPTS_MAX):
        try:
            found = _read(store, record.value, places)
        except (CorruptRecordError, NotPermittedError) as exc:
            return Comparison(same=False, said=f"not compared: {exc}")
        if isinstance(found, str):
            return Comparison(same=False, said=f"nothing to compare with: {found}")
        why = same.why_other(record.value, contents, found.judged)
        if why is not None:
            return Comparison(same=False, said=f"it is kept: {why}")
        try:
            record.commit(lambda stored, found=found: _ops(stored, found, contents, clock.now_s()))  # type: ignore[misc]
        except RejectedError:
            continue
        return Comparison(same=True, said=f"the same as build {record.value.same_as}: not kept")
    return Comparison(same=False, said="it is kept: what is current changes all the time")


@dataclass(frozen=True, slots=True)
class _Found:
    """What is current, as it was read.

    Attributes:
        seen: Versions by path of all that it was judged by but the build itself.
    """

    judged: same.Current
    build: Stored[Build]
    seen: Mapping[str, int]


def _ops(stored: Stored[Build], found: _Found, contents: Contents, now_s: float) -> list[Op]:
    what = contents.digest if isinstance(contents, Inventory) else contents
    return writes.keep_same(stored, found.build, found.seen, what, now_s=now_s)


def _read(store: Store, build: Build, places: Mapping[str, str]) -> _Found | str:
    """Return what is current in all providers of a build, or why nothing is.

    Raises:
        CorruptRecordError: A record cannot be read.
    """
    image, group = build.id.image, build.group
    raw = store.read_fresh([paths.pointer(image, one) for one in group])
    pointers = {
        provider: None if one is None else decode_pointer(image, provider, one.value)
        for provider, one in zip(group, raw, strict=True)
    }
    number, why_not = same.candidate(build, pointers, places)
    if number is None:
        return why_not or "nothing is current"
    current = BuildId(image, number)
    first, *others = store.read_fresh(
        [
            paths.build(current),
            *(paths.upload(UploadId(current, places[one])) for one in group),
        ]
    )
    if first is None:
        return "the current build is not on record"
    decoded = Stored(
        path=first.path, value=decode_build(current, first.value), version=first.version
    )
    uploads = {
        provider: None
        if one is None
        else decode_upload(UploadId(current, places[provider]), one.value)
        for provider, one in zip(group, others, strict=True)
    }
    seen = {one.path: one.version for one in (*raw, *others) if one is not None}
    judged = same.Current(
        build=decoded.value,
        pointers={name: one for name, one in pointers.items() if one is not None},
        uploads=uploads,
        newer=tuple(_newer(store, build, number, seen)),
    )
    return _Found(judged=judged, build=decoded, seen=seen)


def _newer(
    store: Store, build: Build, current: int, seen: dict[str, int]
) -> Iterator[tuple[Build, tuple[Upload, ...]]]:
    """Yield the builds between the current one and this one, with what is left of each.

    The versions of all that is read are added to *seen*. No upload is added without a write of one
    of these: it comes with its build's record, or touches the whole upload that it is made from.
    """
    for name in store.children(paths.builds(build.id.image)):
        number = number_of(name)
        if number is None or not current < number < build.id.number:
            continue
        one = BuildId(build.id.image, number)
        places = store.children(paths.uploads(one))
        first, *others = store.read_fresh(
            [paths.build(one), *(paths.upload(UploadId(one, place)) for place in places)]
        )
        if first is not None:
            seen.update((found.path, found.version) for found in (first, *others) if found)
            uploads = (
                decode_upload(UploadId(one, place), found.value)
                for place, found in zip(places, others, strict=True)
                if found is not None
            )
            yield decode_build(one, first.value), tuple(uploads)
