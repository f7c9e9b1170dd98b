"""What each action writes, as operations of one transaction; pure, to be read and tested.

Every write names the version that was read. What makes a reference touches what it refers to
(:mod:`remuda.images.writes`); what ends one reads who refers to it first, which is the hand's part.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from builder.decide import results
from builder.decide.actions import (
    BeginBuild,
    BeginUpload,
    BuilderAction,
    CondemnUpload,
    DropUpload,
    EndTrial,
    ForgetBuild,
    ForgetUpload,
    LoseBuild,
    MovePointer,
    RetireBuild,
    RetireUpload,
    Supersede,
    TakeBuild,
    TakeUpload,
    TryUpload,
)
from builder.decide.world import BuilderWorld
from remuda.images import writes
from remuda.images.writes import NotBootableError
from remuda.model.build import Blame, Build, BuildEvent, BuildState, Mishap, encode_build
from remuda.model.image import BuildId, UploadId, encode_image
from remuda.model.upload import (
    WHOLE,
    Method,
    Upload,
    UploadEvent,
    UploadState,
    encode_upload,
)
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op, Set, Stored


def set_build(world: BuilderWorld, after: Build) -> Set:
    """Return the write of a build, at the version that is known."""
    stored = world.library.builds[after.id]
    return Set(path=paths.build(after.id), data=encode_build(after), version=stored.version)


def set_upload(world: BuilderWorld, after: Upload) -> Set:
    """Return the write of an upload, at the version that is known."""
    stored = world.library.uploads[after.id]
    return Set(path=paths.upload(after.id), data=encode_upload(after), version=stored.version)


def finish(
    stored: Stored[Build], image: results.WholeImage, also: tuple[str, ...], *, now_s: float
) -> list[Op]:
    """Return what ends a build: its snapshot is stored, and wanted in other places.

    The first operation is the write of the build.
    """
    build = stored.value
    after = results.kept(build, image.cloud_image, now_s=now_s)
    native = Upload(
        id=UploadId(build.id, build.place or ""),
        state=UploadState.STORED,
        since_s=now_s,
        method=Method.NATIVE,
        cloud_image=image.cloud_image,
        size_bytes=image.size_bytes,
        sha256=image.sha256,
        os_hash=image.os_hash,
        min_disk_gib=image.min_disk_gib,
    )
    others = [_pending(UploadId(build.id, place), now_s) for place in also]
    write = Set(path=stored.path, data=encode_build(after), version=stored.version)
    return [write, *map(_create, (native, *others))]


def write(world: BuilderWorld, action: BuilderAction) -> list[Op]:
    """Return the operations of an action; none for one that is all effect.

    Raises:
        KeyError: If what it is done to is not on record any more.
        NotBootableError: If it would refer to what nothing new may refer to.
    """
    make = _WRITES.get(type(action))
    return [] if make is None else make(world, action)


def _build(world: BuilderWorld, build_id: BuildId) -> Build:
    return world.library.builds[build_id].value


def _upload(world: BuilderWorld, upload_id: UploadId) -> Upload:
    return world.library.uploads[upload_id].value


def _create(upload: Upload) -> Create:
    return Create(path=paths.upload(upload.id), data=encode_upload(upload))


def _pending(upload_id: UploadId, now_s: float) -> Upload:
    return Upload(id=upload_id, state=UploadState.PENDING, since_s=now_s)


def _begin_build(world: BuilderWorld, action: BeginBuild) -> list[Op]:
    stored = world.library.images[action.id.image]
    image = replace(stored.value, last_build=action.id.number)
    build = Build(
        id=action.id,
        state=BuildState.REQUESTED,
        why=action.why,
        requested_s=world.now_s,
        since_s=world.now_s,
        fingerprint=action.fingerprint,
        group=action.group,
    )
    return [
        Set(path=stored.path, data=encode_image(image), version=stored.version),
        Create(path=paths.build(action.id), data=encode_build(build)),
        Create(path=paths.uploads(action.id)),
    ]


def _supersede(world: BuilderWorld, action: Supersede) -> list[Op]:
    mishap = Mishap(step="requested", blame=Blame.RECIPE, message=action.because)
    after = _build(world, action.id).after(
        BuildEvent.SUPERSEDED, now_s=world.now_s, mishap=mishap, ended_s=world.now_s
    )
    return [set_build(world, after)]


def _take_build(world: BuilderWorld, action: TakeBuild) -> list[Op]:
    after = _build(world, action.id).after(
        BuildEvent.TAKEN,
        now_s=world.now_s,
        owner=world.me,
        provider=action.provider,
        place=action.place,
        parent=None if action.parent is None else action.parent.build,
        base=action.base,
        started_s=world.now_s,
        asked_by_s=0.0,
        cloud_name=None,
    )
    refers = [] if action.parent is None else writes.touch(world.library.seen(action.parent))
    return [set_build(world, after), *refers]


def _lose_build(world: BuilderWorld, action: LoseBuild) -> list[Op]:
    policy = world.policies.get(action.id.image)
    build = _build(world, action.id)
    after = results.lost(build, action.mishap, policy, last=action.last, now_s=world.now_s)
    return [set_build(world, after)]


def _begin_upload(world: BuilderWorld, action: BeginUpload) -> list[Op]:
    whole = [one for one in world.uploads(action.id.build) if one.state in WHOLE]
    if not whole:
        raise NotBootableError(next(world.uploads(action.id.build)))
    create = _create(_pending(action.id, world.now_s))
    return [create, *writes.touch(world.library.seen(whole[0].id))]


def _take_upload(world: BuilderWorld, action: TakeUpload) -> list[Op]:
    after = _upload(world, action.id).after(
        UploadEvent.TAKEN,
        now_s=world.now_s,
        owner=world.me,
        method=action.method,
        source=action.source.place,
        asked_by_s=0.0,
    )
    return [set_upload(world, after), *writes.touch(world.library.seen(action.source))]


def _drop_upload(world: BuilderWorld, action: DropUpload) -> list[Op]:
    policy = world.policies.get(action.id.build.image)
    upload = _upload(world, action.id)
    after = results.dropped(upload, action.event, action.mishap, policy, now_s=world.now_s)
    return [set_upload(world, after)]


def _try_upload(world: BuilderWorld, action: TryUpload) -> list[Op]:
    upload = _upload(world, action.id)
    if upload.state not in WHOLE:
        raise NotBootableError(upload)  # a trial refers to it
    after = results.tried(upload, action.provider, world.me, now_s=world.now_s)
    return [set_upload(world, after)]


def _end_trial(world: BuilderWorld, action: EndTrial) -> list[Op]:
    return [set_upload(world, results.untried(_upload(world, action.id), now_s=world.now_s))]


def _move_pointer(world: BuilderWorld, action: MovePointer) -> list[Op]:
    after = action.after
    seen = {one: world.library.seen(one) for one in writes.named(after) & world.known()}
    move = writes.move(world.library.pointers.get(action.id), after, seen)
    # Who has paused the image in between is obeyed.
    stored = world.library.images.get(action.image)
    fence = [] if stored is None else [Check(path=stored.path, version=stored.version)]
    return [*move, *fence]


def _retire_upload(world: BuilderWorld, action: RetireUpload) -> list[Op]:
    after = _upload(world, action.id).after(UploadEvent.RETIRED, now_s=world.now_s)
    return [set_upload(world, after)]


def _condemn_upload(world: BuilderWorld, action: CondemnUpload) -> list[Op]:
    after = _upload(world, action.id).after(UploadEvent.UNREFERENCED, now_s=world.now_s)
    return [set_upload(world, after)]


def _forget_upload(world: BuilderWorld, action: ForgetUpload) -> list[Op]:
    stored = world.library.uploads[action.id]
    return [Delete(path=stored.path, version=stored.version)]


def _retire_build(world: BuilderWorld, action: RetireBuild) -> list[Op]:
    """Nothing can be uploaded of it any more: what the uploads lie in goes with it."""
    after = _build(world, action.id).after(BuildEvent.RETIRED, now_s=world.now_s)
    return [Delete(path=paths.uploads(action.id)), set_build(world, after)]


def _forget_build(world: BuilderWorld, action: ForgetBuild) -> list[Op]:
    """The hand erases its log before (:func:`remuda.images.buildlog.erase_log`)."""
    stored = world.library.builds[action.id]
    return [Delete(path=stored.path, version=stored.version)]


_WRITES: Final[Mapping[type, Callable[[BuilderWorld, Any], list[Op]]]] = {
    BeginBuild: _begin_build,
    Supersede: _supersede,
    TakeBuild: _take_build,
    LoseBuild: _lose_build,
    BeginUpload: _begin_upload,
    TakeUpload: _take_upload,
    DropUpload: _drop_upload,
    TryUpload: _try_upload,
    EndTrial: _end_trial,
    MovePointer: _move_pointer,
    RetireUpload: _retire_upload,
    CondemnUpload: _condemn_upload,
    ForgetUpload: _forget_upload,
    RetireBuild: _retire_build,
    ForgetBuild: _forget_build,
}
