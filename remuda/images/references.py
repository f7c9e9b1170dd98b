"""Who refers to an upload: found in the records that refer, for there is no other account of it.

The rule that makes this safe (docs/adr/0018): the upload's version is known *before* what may
refer is read, and the write that retires or deletes it names that version. Whoever makes a
reference proves the upload's state in the same transaction (:mod:`remuda.images.writes`), so that
it is seen by the reading, or fails, or makes the write fail.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.model.build import UNDER_WAY, Build
from remuda.model.image import UploadId, parse_upload
from remuda.model.launch import Launch
from remuda.model.pointer import Pointer
from remuda.model.upload import Upload, UploadState


class ReferenceKind(StrEnum):
    """What refers to an upload."""

    LAUNCH = "launch"  # a node, a held one, a build machine or a candidate, until it is gone
    CURRENT = "current"
    PREVIOUS = "previous"
    CANARY = "canary"
    PINNED = "pinned"
    CHILD = "child"  # a build under way that starts from it
    COPY = "copy"  # an upload of the same build that is, or may be, made from it
    TRIAL = "trial"  # a candidate that was asked for, and may not have a launch yet


@dataclass(frozen=True, slots=True)
class Reference:
    """One thing that refers, and its name for people."""

    kind: ReferenceKind
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """The records that may refer to uploads, of all providers and images.

    Attributes:
        launches: Each with its provider.
        unreadable: Paths of records among them that cannot be read, or are closed to us: each may
            refer to anything.
    """

    launches: tuple[tuple[str, Launch], ...] = ()
    pointers: tuple[Pointer, ...] = ()
    builds: tuple[Build, ...] = ()
    uploads: tuple[Upload, ...] = ()
    unreadable: tuple[str, ...] = ()


#: They have no use for a source, or not yet.
_SOURCELESS: Final = frozenset({UploadState.PENDING, UploadState.FAILED})

References = Mapping[UploadId, tuple[Reference, ...]]


def index(holders: Holders) -> References:
    """Return what refers to each upload that anything refers to."""
    found: defaultdict[UploadId, list[Reference]] = defaultdict(list)
    for upload_id, reference in _all(holders):
        found[upload_id].append(reference)
    return {upload_id: tuple(some) for upload_id, some in found.items()}


def unknown(holders: Holders) -> tuple[str, ...]:
    """Return the names of records that refer to we do not know what."""
    odd = [
        f"node {launch.id} of {provider}"
        for provider, launch in holders.launches
        if launch.image_build is not None and upload_of(launch) is None
    ]
    return (*holders.unreadable, *odd)


def why_kept(upload_id: UploadId, holders: Holders) -> str | None:
    """Return why an upload that is retiring may not be deleted yet, or None if it may.

    Args:
        upload_id: Which; it was retiring before anything of *holders* was read.
        holders: All records, read from ZooKeeper itself, not from a mirror.
    """
    return why_held(upload_id, index(holders), unknown(holders))


def why_held(upload_id: UploadId, references: References, odd: tuple[str, ...]) -> str | None:
    """Return the same, for whoever asks of many: of :func:`index` and :func:`unknown`."""
    if odd:
        return f"{odd[0]} cannot be read, and may refer to it"
    some = references.get(upload_id, ())
    if not some:
        return None
    more = f", and {len(some) - 1} more" if some[1:] else ""
    return f"{some[0].by} refers to it{more}"


def _all(holders: Holders) -> Iterator[tuple[UploadId, Reference]]:
    for provider, launch in holders.launches:
        upload_id = upload_of(launch)
        if upload_id is not None:
            yield upload_id, Reference(ReferenceKind.LAUNCH, f"node {launch.id} of {provider}")
    for pointer in holders.pointers:
        yield from of_pointer(pointer)
    for build in holders.builds:
        yield from _of_build(build)
    for upload in holders.uploads:
        yield from _of_upload(upload, holders.uploads)


def upload_of(launch: Launch) -> UploadId | None:
    """Return the upload that a machine boots, if it boots an image of ours."""
    return parse_upload(launch.image_build, launch.image_place)


def of_pointer(pointer: Pointer) -> Iterator[tuple[UploadId, Reference]]:
    """Yield the uploads that a pointer refers to; a pin that is over counts until it is removed."""
    for name, number in pointer.named():
        build = pointer.build(number)
        by = f"{name} of {pointer.image} in {pointer.provider}"
        yield UploadId(build, pointer.place), Reference(ReferenceKind(name), by)


def _of_build(build: Build) -> Iterator[tuple[UploadId, Reference]]:
    if build.state in UNDER_WAY and build.parent is not None and build.place is not None:
        by = f"build {build.id}, which is made from it,"
        yield UploadId(build.parent, build.place), Reference(ReferenceKind.CHILD, by)


def _of_upload(upload: Upload, uploads: Iterable[Upload]) -> Iterator[tuple[UploadId, Reference]]:
    if upload.trying is not None:
        by = f"the candidate in {upload.trying}"
        yield upload.id, Reference(ReferenceKind.TRIAL, by)
    copy = Reference(ReferenceKind.COPY, f"the copy to {upload.id.place}")
    if upload.source is not None and upload.state not in _SOURCELESS:
        # What is shared has no bytes of its own, and keeps its source for all its life.
        yield UploadId(upload.id.build, upload.source), copy
    elif upload.state is UploadState.PENDING:
        # Which of them will be its source is not known yet.
        for other in uploads:
            if other.id.build == upload.id.build and other.id != upload.id:
                yield other.id, copy
