"""What makes a reference to an upload, as operations of the transaction that makes what refers.

A launch only *checks* the upload: there are many of them, and one that was bound a moment before
the upload retires does no harm, for the deletion waits for it. A pointer, a child and a copy
*touch* the upload and its build, which is to write them again as they are: a retirement or a
revocation that was decided before them fails.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from remuda.model.build import Build, encode_build
from remuda.model.image import UploadId
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.upload import WHOLE, Upload, UploadState, encode_upload
from remuda.store import paths
from remuda.store.api import Check, Create, Op, Set, Stored


class NotBootableError(ValueError):
    """The upload is in no state in which anything new may refer to it."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"{upload.id} is {upload.state}")


def bind(seen: Stored[Upload], *, candidate: bool = False) -> Check:
    """Return what the intent of a launch has to check of the upload that it is to boot.

    Args:
        seen: The upload, as the launcher knows it.
        candidate: The launch is to prove it; others boot what is usable only.

    Raises:
        NotBootableError: If it may not be booted.
    """
    upload = seen.value
    if upload.state not in WHOLE or not (candidate or upload.state is UploadState.USABLE):
        raise NotBootableError(upload)
    return Check(path=paths.upload(upload.id), version=seen.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An upload with its build, as they were read."""

    upload: Stored[Upload]
    build: Stored[Build]


def touch(seen: Seen) -> list[Op]:
    """Return what a pointer, a child or a copy has to write of the upload that it refers to.

    Raises:
        NotBootableError: If nothing new may refer to it.
    """
    upload, build = seen.upload, seen.build
    if upload.value.state not in WHOLE or build.value.revoked is not None:
        raise NotBootableError(upload.value)
    return [
        Set(
            path=paths.upload(upload.value.id),
            data=encode_upload(upload.value),
            version=upload.version,
        ),
        Set(
            path=paths.build(build.value.id),
            data=encode_build(build.value),
            version=build.version,
        ),
    ]


def move(before: Stored[Pointer] | None, after: Pointer, seen: Mapping[UploadId, Seen]) -> list[Op]:
    """Return the transaction that moves a pointer.

    Args:
        before: As it was read, or None if there is none.
        after: As it is to be: of :mod:`remuda.images.moves`.
        seen: What it is to name, as it was read.

    Raises:
        NotBootableError: If nothing may refer to what it did not name before.
    """
    path, data = paths.pointer(after.image, after.provider), encode_pointer(after)
    write: Op = (
        Create(path=path, data=data)
        if before is None
        else Set(path=path, data=data, version=before.version)
    )
    old = set() if before is None else named(before.value)
    return [write, *(op for one in sorted(named(after) - old) for op in touch(seen[one]))]


def named(pointer: Pointer) -> set[UploadId]:
    """Return the uploads that a pointer names."""
    return {UploadId(pointer.build(number), pointer.place) for _, number in pointer.named()}
