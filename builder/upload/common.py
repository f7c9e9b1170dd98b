"""What the next steps of uploads have in common."""

from builder.build.lifecycle import unwanted
from builder.policy import pause_s_max
from builder.upload.actions import DropUpload
from builder.view import WorldView
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.image import UploadId
from remuda.model.upload import (
    ENDED,
    Upload,
    UploadEvent,
)


def drop(upload: Upload, event: UploadEvent, blame: Blame, message: str) -> DropUpload:
    """Return that an upload is made again, or never."""
    mishap = Mishap(step=str(upload.state), blame=blame, message=message)
    return DropUpload(id=upload.id, event=event, mishap=mishap)


def newer_upload(view: WorldView, build: Build, place: str) -> Upload | None:
    """Return the upload of a newer build for the same providers that lies, or is to lie, there."""
    for one in view.builds(build.id.image):
        if one.id.number <= build.id.number or one.group != build.group:
            continue
        upload = view.upload(UploadId(one.id, place))
        if one.state is not BuildState.BUILT or unwanted(one) is not None or upload is None:
            continue
        if upload.state not in ENDED:
            return upload
    return None


def wait_s_max(view: WorldView, upload: Upload) -> float:
    """Return the longest that an upload is left alone before it is tried again."""
    return pause_s_max(view.policies.get(upload.id.build.image))
