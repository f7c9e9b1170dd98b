"""What a builder does in threads: the lane of each kind of action, and what it keeps busy.

The names of what is busy are those by which the judgements ask (``WorldView.busy``).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from builder.build.actions import (
    BeginBuild,
    ForgetBuild,
    KeepSnapshot,
    LoseBuild,
    Make,
    RetireBuild,
    Supersede,
    TakeBuild,
)
from builder.image.actions import MakeImage
from builder.place.actions import ListPlace, Look, SweepImage
from builder.pointer.actions import MovePointer
from builder.recipe.actions import ReadRecipes
from builder.status.actions import Publish
from builder.upload.actions import (
    BeginUpload,
    CondemnUpload,
    Copy,
    DropUpload,
    EndTrial,
    EraseImage,
    ForgetUpload,
    RetireUpload,
    TakeUpload,
    TryUpload,
    Validate,
)
from remuda.frame.lanes import Lanes
from remuda.frame.work import WorkKind


class Lane(StrEnum):
    """A set of threads for actions of one kind."""

    MAKE = "make"
    TRY = "try"
    COPY = "copy"
    KEEP = "keep"
    LOOK = "look"
    READ = "read"


#: So many of each are under way at once in one builder; whatever more there is is judged again.
#: A build, a trial or a copy is a thread for its whole length; copies share the host's network.
LANE_SIZES: Final[Mapping[Lane, int]] = {
    Lane.MAKE: 16,
    Lane.TRY: 16,
    Lane.COPY: 4,
    Lane.KEEP: 8,
    Lane.LOOK: 8,
    Lane.READ: 1,
}


def new_lanes() -> Lanes[Lane, str]:
    """Return empty lanes: for each a place has to be free, and nobody waits in a queue.

    What finds none is judged again, for by then other things may be more urgent.
    """
    return Lanes(tuple(Lane))


def _id(action: Any) -> str:
    return str(action.id)


def _image(action: Any) -> str:
    return f"image {action.id.image}"


def _pointer(action: Any) -> str:
    return f"pointer of {action.image} in {action.provider}"


def _swept(action: Any) -> str:
    return f"{action.place} {action.cloud_image}"


_WRITTEN: Final = (
    *(Supersede, TakeBuild, LoseBuild),
    *(BeginUpload, TakeUpload, DropUpload, TryUpload),
    *(EndTrial, ForgetUpload, RetireBuild),
)

#: Every kind of action but RaiseAlarm, which is all said with itself.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    **dict.fromkeys(_WRITTEN, WorkKind(None, _id)),
    BeginBuild: WorkKind(None, _image),
    MovePointer: WorkKind(None, _pointer),
    Make: WorkKind(Lane.MAKE, _id),
    Copy: WorkKind(Lane.COPY, _id),
    Validate: WorkKind(Lane.TRY, _id),
    KeepSnapshot: WorkKind(Lane.KEEP, _id),
    RetireUpload: WorkKind(Lane.KEEP, _id),
    CondemnUpload: WorkKind(Lane.KEEP, _id),
    EraseImage: WorkKind(Lane.KEEP, _id),
    ForgetBuild: WorkKind(Lane.KEEP, _id),
    SweepImage: WorkKind(Lane.KEEP, _swept),
    Look: WorkKind(Lane.LOOK, lambda one: f"look at {one.provider}"),
    ListPlace: WorkKind(Lane.LOOK, lambda one: f"listing of {one.place}"),
    ReadRecipes: WorkKind(Lane.READ, lambda _: "recipes"),
    MakeImage: WorkKind(None, lambda one: f"image {one.id}"),
    Publish: WorkKind(None, lambda _: "status"),
}
#: Who takes work binds a place in the lane in which it is done afterwards.
TAKES: Final[Mapping[type, Lane]] = {
    TakeBuild: Lane.MAKE,
    TakeUpload: Lane.COPY,
    TryUpload: Lane.TRY,
}
