"""What is written of builds, as operations of transactions; pure, to be read and tested.

Every write names the version that was read. What makes a reference touches what it refers to
(:mod:`remuda.images.writes`); what ends one reads who refers to it first, which is the hand's part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from builder.build.actions import (
    BeginBuild,
    ForgetBuild,
    LoseBuild,
    RetireBuild,
    Supersede,
    TakeBuild,
)
from builder.build.outcome import kept, lost, renewed, same
from builder.upload.outcome import WholeImage
from builder.upload.writes import create_upload, pending
from builder.view import WorldView
from remuda.images import writes as image_writes
from remuda.images.inventory import Inventory, encode_inventory
from remuda.model.build import Blame, Build, BuildEvent, BuildState, Mishap, encode_build
from remuda.model.builtfile import BuiltFile
from remuda.model.image import BuildId, UploadId, encode_image
from remuda.model.upload import (
    Method,
    Upload,
    UploadState,
)
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set, Stored


def write_build(stored: Stored[Build], after: Build) -> Set:
    """Return the write of a build, at the version that was read."""
    return Set(path=stored.path, data=encode_build(after), version=stored.version)


def set_build(view: WorldView, after: Build) -> Set:
    """Return the write of a build, at the version that is known."""
    return write_build(view.library.builds[after.id], after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What is stated of a build.

    Attributes:
        digest: Its SHA-256, in hexadecimal.
        write: What writes it.
    """

    digest: str
    write: Op


def whole(build: Build, image: WholeImage, *, now_s: float) -> tuple[Build, Upload]:
    """Return a build whose snapshot is whole, and the upload that is that snapshot."""
    native = Upload(
        id=UploadId(build.id, build.place or ""),
        state=UploadState.STORED,
        since_s=now_s,
        method=Method.NATIVE,
        cloud_image=image.cloud_image,
        size_bytes=image.size_bytes,
        sha256=image.sha256,
        os_hash=image.os_hash,
        carried_sha512=image.carried_sha512,
        min_disk_gib=image.min_disk_gib,
    )
    return kept(build, image.cloud_image, now_s=now_s), native


def finish(
    stored: Stored[Build],
    image: WholeImage,
    also: tuple[str, ...],
    stated: Stated | None = None,
    *,
    now_s: float,
) -> list[Op]:
    """Return what ends a build: its snapshot is stored, and wanted in other places.

    The first operation is the write of the build.

    Args:
        stored: The build.
        image: The snapshot.
        also: In which places else it is wanted.
        stated: What is stated of the build, of the same time.
        now_s: When.
    """
    build = stored.value
    after, native = whole(build, image, now_s=now_s)
    after = replace(after, statement=None if stated is None else stated.digest)
    said = [] if stated is None else [stated.write]
    others = [pending(UploadId(build.id, place), now_s) for place in also]
    return [write_build(stored, after), *map(create_upload, (native, *others)), *said]


def write_statement(build_id: BuildId, data: bytes, there: Stored[bytes] | None) -> Op:
    """Return what writes what is stated of a build, over what is there."""
    path = paths.image_statement(build_id)
    if there is None:
        return Create(path=path, data=data)
    return Set(path=path, data=data, version=there.version)


def keep_same(
    stored: Stored[Build],
    current: Stored[Build],
    seen: Mapping[str, int],
    contents: str | BuiltFile,
    *,
    now_s: float,
) -> list[Op]:
    """Return what ends a build that is the same as the current one, which is new again by it.

    Args:
        stored: The build.
        current: What is current wherever the build is wanted.
        seen: Versions by path of what says that it is, and may be booted there.
        contents: What both have: the file, or the hash of the inventory.
        now_s: When.
    """
    after = same(stored.value, current.value, contents, now_s=now_s)
    again = renewed(current.value, stored.value)
    proofs = (Check(path=path, version=version) for path, version in seen.items())
    return [write_build(stored, after), write_build(current, again), *proofs]


def keep_inventory(
    build_id: BuildId,
    inventory: Inventory,
    *,
    log: Stored[bytes] | None,
    there: Stored[bytes] | None,
) -> list[Op]:
    """Return what writes the inventory of a build beside its log.

    Args:
        build_id: Which build.
        inventory: What is in it.
        log: What the log holds now, or None if there is none.
        there: What the inventory is on record as now, or None.
    """
    path, data = paths.image_inventory(build_id), encode_inventory(inventory)
    # With its build it goes: nobody would find it any more.
    ops: list[Op] = [Check(path=paths.build(build_id))]
    if log is None:
        ops.append(Create(path=paths.image_log(build_id)))
    if there is None:
        ops.append(Create(path=path, data=data))
    else:
        ops.append(Set(path=path, data=data, version=there.version))
    return ops


def _build(view: WorldView, build_id: BuildId) -> Build:
    return view.library.builds[build_id].value


def _begin_build(view: WorldView, action: BeginBuild) -> list[Op]:
    stored = view.library.images[action.id.image]
    image = replace(stored.value, last_build=action.id.number)
    build = Build(
        id=action.id,
        state=BuildState.REQUESTED,
        why=action.why,
        requested_s=view.now_s,
        since_s=view.now_s,
        fingerprint=action.fingerprint,
        group=action.group,
        captured=action.captured,
    )
    return [
        Set(path=stored.path, data=encode_image(image), version=stored.version),
        Create(path=paths.build(action.id), data=encode_build(build)),
        Create(path=paths.uploads(action.id)),
    ]


def _supersede(view: WorldView, action: Supersede) -> list[Op]:
    mishap = Mishap(step="requested", blame=Blame.RECIPE, message=action.because)
    after = _build(view, action.id).after(
        BuildEvent.SUPERSEDED, now_s=view.now_s, mishap=mishap, ended_s=view.now_s
    )
    return [set_build(view, after)]


def _take_build(view: WorldView, action: TakeBuild) -> list[Op]:
    build = _build(view, action.id)
    after = build.after(
        BuildEvent.TAKEN,
        now_s=view.now_s,
        owner=view.me,
        provider=action.provider,
        place=action.place,
        parent=None if action.parent is None else action.parent.build,
        base=action.base,
        origin=action.origin,
        since_full=action.since_full,
        started_s=view.now_s,
        asked_by_s=0.0,
        cloud_name=None,
        file=None,
        node=None if build.captured is None else build.captured.node,
    )
    refers = [] if action.parent is None else image_writes.touch(view.library.seen(action.parent))
    return [set_build(view, after), *refers]


def _lose_build(view: WorldView, action: LoseBuild) -> list[Op]:
    policy = view.policies.get(action.id.image)
    build = _build(view, action.id)
    after = lost(build, action.mishap, policy, last=action.last, now_s=view.now_s)
    return [set_build(view, after)]


def _retire_build(view: WorldView, action: RetireBuild) -> list[Op]:
    """Nothing can be uploaded of it any more: what the uploads lie in goes with it."""
    after = _build(view, action.id).after(BuildEvent.RETIRED, now_s=view.now_s)
    return [Delete(path=paths.uploads(action.id)), set_build(view, after)]


def forget_build(view: WorldView, action: ForgetBuild) -> list[Op]:
    """Return what removes the record of a build; its hand has erased its log before."""
    stored = view.library.builds[action.id]
    return [Delete(path=stored.path, version=stored.version)]


#: What each action of its noun writes.
WRITES: Final[Mapping[type, Callable[[WorldView, Any], list[Op]]]] = {
    BeginBuild: _begin_build,
    Supersede: _supersede,
    TakeBuild: _take_build,
    LoseBuild: _lose_build,
    RetireBuild: _retire_build,
    ForgetBuild: forget_build,
}
