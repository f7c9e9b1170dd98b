"""What is written of uploads, as operations of transactions; see :mod:`builder.build.writes`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

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
from builder.upload.outcome import dropped, tried, untried
from builder.view import WorldView
from remuda.images import writes as image_writes
from remuda.images.writes import NotBootableError
from remuda.model.image import UploadId
from remuda.model.upload import (
    WHOLE,
    Upload,
    UploadEvent,
    UploadState,
    encode_upload,
)
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, Set, Stored


def write_upload(stored: Stored[Upload], after: Upload) -> Set:
    """Return the write of an upload, at the version that was read."""
    return Set(path=stored.path, data=encode_upload(after), version=stored.version)


def set_upload(view: WorldView, after: Upload) -> Set:
    """Return the write of an upload, at the version that is known."""
    return write_upload(view.library.uploads[after.id], after)


def create_upload(upload: Upload) -> Create:
    """Return the write of a new upload."""
    return Create(path=paths.upload(upload.id), data=encode_upload(upload))


def pending(upload_id: UploadId, now_s: float) -> Upload:
    """Return an upload that is wanted."""
    return Upload(id=upload_id, state=UploadState.PENDING, since_s=now_s)


def _upload(view: WorldView, upload_id: UploadId) -> Upload:
    return view.library.uploads[upload_id].value


def _begin_upload(view: WorldView, action: BeginUpload) -> list[Op]:
    whole = [one for one in view.uploads(action.id.build) if one.state in WHOLE]
    if not whole:
        raise NotBootableError(next(view.uploads(action.id.build)))
    create = create_upload(pending(action.id, view.now_s))
    return [create, *image_writes.touch(view.library.seen(whole[0].id))]


def _take_upload(view: WorldView, action: TakeUpload) -> list[Op]:
    after = _upload(view, action.id).after(
        UploadEvent.TAKEN,
        now_s=view.now_s,
        owner=view.me,
        method=action.method,
        source=action.source.place,
        asked_by_s=0.0,
    )
    return [set_upload(view, after), *image_writes.touch(view.library.seen(action.source))]


def _drop_upload(view: WorldView, action: DropUpload) -> list[Op]:
    policy = view.policies.get(action.id.build.image)
    upload = _upload(view, action.id)
    after = dropped(upload, action.event, action.mishap, policy, now_s=view.now_s)
    return [set_upload(view, after)]


def _try_upload(view: WorldView, action: TryUpload) -> list[Op]:
    upload = _upload(view, action.id)
    if upload.state not in WHOLE:
        raise NotBootableError(upload)  # a trial refers to it
    after = tried(upload, action.provider, view.me, now_s=view.now_s)
    return [set_upload(view, after)]


def _end_trial(view: WorldView, action: EndTrial) -> list[Op]:
    return [set_upload(view, untried(_upload(view, action.id), now_s=view.now_s))]


def _retire_upload(view: WorldView, action: RetireUpload) -> list[Op]:
    after = _upload(view, action.id).after(UploadEvent.RETIRED, now_s=view.now_s)
    return [set_upload(view, after)]


def _condemn_upload(view: WorldView, action: CondemnUpload) -> list[Op]:
    after = _upload(view, action.id).after(UploadEvent.UNREFERENCED, now_s=view.now_s)
    return [set_upload(view, after)]


def _forget_upload(view: WorldView, action: ForgetUpload) -> list[Op]:
    stored = view.library.uploads[action.id]
    return [Delete(path=stored.path, version=stored.version)]


#: What each action of its noun writes.
WRITES: Final[Mapping[type, Callable[[WorldView, Any], list[Op]]]] = {
    BeginUpload: _begin_upload,
    TakeUpload: _take_upload,
    DropUpload: _drop_upload,
    TryUpload: _try_upload,
    EndTrial: _end_trial,
    RetireUpload: _retire_upload,
    CondemnUpload: _condemn_upload,
    ForgetUpload: _forget_upload,
}
