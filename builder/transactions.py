"""What each action writes, as operations of one transaction; pure, to be read and tested.

Every write names the version that was read. What makes a reference touches what it refers to
(:mod:`remuda.images.writes`); what ends one reads who refers to it first, which is the hand's part.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from builder import outcomes
from builder.actions import JudgedAction
from builder.build.actions import (
    BeginBuild,
    ForgetBuild,
    LoseBuild,
    RetireBuild,
    Supersede,
    TakeBuild,
)
from builder.pointer.actions import MovePointer
from builder.upload.actions import (
    BeginUpload,
    CondemnUpload,
    DropUpload,
    EndTrial,
    ForgetUpload,
    RetireUpload,
    TakeUpload,
    TryUpload,
)
from builder.view import WorldView
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


def set_build(view: WorldView, after: Build) -> Set:
    """Return the write of a build, at the version that is known."""
    stored = view.library.builds[after.id]
    return Set(path=paths.build(after.id), data=encode_build(after), version=stored.version)


def set_upload(view: WorldView, after: Upload) -> Set:
    """Return the write of an upload, at the version that is known."""
    stored = view.library.uploads[after.id]
    return Set(path=paths.upload(after.id), data=encode_upload(after), version=stored.version)


def finish(
    stored: Stored[Build], image: outcomes.WholeImage, also: tuple[str, ...], *, now_s: float
) -> list[Op]:
    """Return what ends a build: its snapshot is stored, and wanted in other places.

    The first operation is the write of the build.
    """
    build = stored.value
    after = outcomes.kept(build, image.cloud_image, now_s=now_s)
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


def write(view: WorldView, action: JudgedAction) -> list[Op]:
    """Return the operations of an action; none for one that is all effect.

    Raises:
        KeyError: If what it is done to is not on record any more.
        NotBootableError: If it would refer to what nothing new may refer to.
    """
    make = _WRITES.get(type(action))
    return [] if make is None else make(view, action)


def _build(view: WorldView, build_id: BuildId) -> Build:
    return view.library.builds[build_id].value


def _upload(view: WorldView, upload_id: UploadId) -> Upload:
    return view.library.uploads[upload_id].value


def _create(upload: Upload) -> Create:
    return Create(path=paths.upload(upload.id), data=encode_upload(upload))


def _pending(upload_id: UploadId, now_s: float) -> Upload:
    return Upload(id=upload_id, state=UploadState.PENDING, since_s=now_s)


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
    after = _build(view, action.id).after(
        BuildEvent.TAKEN,
        now_s=view.now_s,
        owner=view.me,
        provider=action.provider,
        place=action.place,
        parent=None if action.parent is None else action.parent.build,
        base=action.base,
        started_s=view.now_s,
        asked_by_s=0.0,
        cloud_name=None,
    )
    refers = [] if action.parent is None else writes.touch(view.library.seen(action.parent))
    return [set_build(view, after), *refers]


def _lose_build(view: WorldView, action: LoseBuild) -> list[Op]:
    policy = view.policies.get(action.id.image)
    build = _build(view, action.id)
    after = outcomes.lost(build, action.mishap, policy, last=action.last, now_s=view.now_s)
    return [set_build(view, after)]


def _begin_upload(view: WorldView, action: BeginUpload) -> list[Op]:
    whole = [one for one in view.uploads(action.id.build) if one.state in WHOLE]
    if not whole:
        raise NotBootableError(next(view.uploads(action.id.build)))
    create = _create(_pending(action.id, view.now_s))
    return [create, *writes.touch(view.library.seen(whole[0].id))]


def _take_upload(view: WorldView, action: TakeUpload) -> list[Op]:
    after = _upload(view, action.id).after(
        UploadEvent.TAKEN,
        now_s=view.now_s,
        owner=view.me,
        method=action.method,
        source=action.source.place,
        asked_by_s=0.0,
    )
    return [set_upload(view, after), *writes.touch(view.library.seen(action.source))]


def _drop_upload(view: WorldView, action: DropUpload) -> list[Op]:
    policy = view.policies.get(action.id.build.image)
    upload = _upload(view, action.id)
    after = outcomes.dropped(upload, action.event, action.mishap, policy, now_s=view.now_s)
    return [set_upload(view, after)]


def _try_upload(view: WorldView, action: TryUpload) -> list[Op]:
    upload = _upload(view, action.id)
    if upload.state not in WHOLE:
        raise NotBootableError(upload)  # a trial refers to it
    after = outcomes.tried(upload, action.provider, view.me, now_s=view.now_s)
    return [set_upload(view, after)]


def _end_trial(view: WorldView, action: EndTrial) -> list[Op]:
    return [set_upload(view, outcomes.untried(_upload(view, action.id), now_s=view.now_s))]


def _move_pointer(view: WorldView, action: MovePointer) -> list[Op]:
    after = action.after
    seen = {one: view.library.seen(one) for one in writes.named(after) & view.known()}
    move = writes.move(view.library.pointers.get(action.id), after, seen)
    # Who has paused the image in between is obeyed.
    stored = view.library.images.get(action.image)
    fence = [] if stored is None else [Check(path=stored.path, version=stored.version)]
    return [*move, *fence]


def _retire_upload(view: WorldView, action: RetireUpload) -> list[Op]:
    after = _upload(view, action.id).after(UploadEvent.RETIRED, now_s=view.now_s)
    return [set_upload(view, after)]


def _condemn_upload(view: WorldView, action: CondemnUpload) -> list[Op]:
    after = _upload(view, action.id).after(UploadEvent.UNREFERENCED, now_s=view.now_s)
    return [set_upload(view, after)]


def _forget_upload(view: WorldView, action: ForgetUpload) -> list[Op]:
    stored = view.library.uploads[action.id]
    return [Delete(path=stored.path, version=stored.version)]


def _retire_build(view: WorldView, action: RetireBuild) -> list[Op]:
    """Nothing can be uploaded of it any more: what the uploads lie in goes with it."""
    after = _build(view, action.id).after(BuildEvent.RETIRED, now_s=view.now_s)
    return [Delete(path=paths.uploads(action.id)), set_build(view, after)]


def _forget_build(view: WorldView, action: ForgetBuild) -> list[Op]:
    """The hand erases its log before (:func:`remuda.images.buildlog.erase_log`)."""
    stored = view.library.builds[action.id]
    return [Delete(path=stored.path, version=stored.version)]


_WRITES: Final[Mapping[type, Callable[[WorldView, Any], list[Op]]]] = {
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
