"""The next step of each upload: to be made, and to be proven."""

from builder.actions import Plan
from builder.upload import placing, proving
from builder.view import WorldView
from remuda.model.upload import (
    Upload,
    UploadState,
)


def step(view: WorldView, upload: Upload, plan: Plan) -> None:
    """Add what is to be done for an upload that is under way, or say why it waits."""
    build = view.build(upload.id.build)
    if build is None:
        plan.wait(upload.id, "the record of its build cannot be read")
    elif str(upload.id) in view.busy:
        plan.wait(upload.id, f"being worked on: {upload.state}")
    elif upload.state is UploadState.PENDING:
        placing.pending(view, build, upload, plan)
    elif upload.state is UploadState.MAKING:
        placing.making(view, upload, plan)
    elif upload.trying is not None:
        proving.trying(view, upload, upload.trying, plan)
    elif upload.state in {UploadState.STORED, UploadState.USABLE}:
        proving.whole(view, build, upload, plan)
