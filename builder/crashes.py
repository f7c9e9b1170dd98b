"""Giving back work of ours that cannot be gone on with: a hand crashed, or there is nobody to ask.

Else it would stay ours for ever, and be begun again and again.
"""

from dataclasses import dataclass, field
from typing import Final

from builder.actions import Action
from builder.build.actions import LoseBuild, Make
from builder.upload.actions import Copy, DropUpload
from builder.view import WorldView
from remuda.model.build import Blame, Mishap
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import UploadEvent

CRASHED: Final = "it met an error of ours; see the log"


@dataclass(slots=True)
class Crashes:
    """Which builds and uploads of ours are lost by a crash, until that is written."""

    _crashed: set[BuildId | UploadId] = field(default_factory=set)

    def note(self, action: Action) -> None:
        """Note that the hand of an action has crashed."""
        if isinstance(action, Make | Copy):
            self._crashed.add(action.id)

    def written(self, action: Action) -> None:
        """Forget it: its record says more now."""
        if isinstance(action.id, BuildId | UploadId):
            self._crashed.discard(action.id)

    def due(self, view: WorldView, action: Action) -> LoseBuild | DropUpload | None:
        """Return what is to be written in place of an action whose hand has crashed."""
        match action:
            case Make() if action.id in self._crashed:
                return lost(view, action.id)
            case Copy() if action.id in self._crashed:
                return dropped(view, action.id)
            case _:
                return None


def lost(view: WorldView, build_id: BuildId) -> LoseBuild:
    """Return the loss of a build whose hand has crashed: attempts count."""
    build = view.library.builds[build_id].value
    last = build.attempt + 1 >= _attempts_max(view, build_id)
    mishap = Mishap(step=str(build.state), blame=Blame.BUILDER, message=CRASHED)
    return LoseBuild(id=build_id, mishap=mishap, last=last)


def dropped(view: WorldView, upload_id: UploadId) -> DropUpload:
    """Return the loss of an upload whose hand has crashed: attempts count."""
    upload = view.library.uploads[upload_id].value
    last = upload.attempt + 1 >= _attempts_max(view, upload_id.build)
    event = UploadEvent.GIVEN_UP if last else UploadEvent.BROKEN
    mishap = Mishap(step=str(upload.state), blame=Blame.BUILDER, message=CRASHED)
    return DropUpload(id=upload_id, event=event, mishap=mishap)


def given_back(upload_id: UploadId, why: str) -> DropUpload:
    """Return the loss of an upload that nobody can make just now; that is no attempt."""
    mishap = Mishap(step="begin", blame=Blame.CLOUD, message=why)
    return DropUpload(id=upload_id, event=UploadEvent.BROKEN, mishap=mishap)


def _attempts_max(view: WorldView, build_id: BuildId) -> int:
    policy = view.policies.get(build_id.image)
    return 1 if policy is None else policy.attempts_max
