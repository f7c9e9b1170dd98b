"""What a builder does in threads: the lane of each kind of action, and what it keeps busy.

The names of what is busy are those by which the judgements ask (``BuilderWorld.busy``).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from builder import actions
from builder.errands import ListPlace, Look, MakeImage, Publish, ReadRecipes
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
PLACES: Final[Mapping[Lane, int]] = {
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
    *(actions.Supersede, actions.TakeBuild, actions.LoseBuild),
    *(actions.BeginUpload, actions.TakeUpload, actions.DropUpload, actions.TryUpload),
    *(actions.EndTrial, actions.ForgetUpload, actions.RetireBuild),
)

#: Every kind of action but RaiseAlarm, which is all said with itself.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    **dict.fromkeys(_WRITTEN, WorkKind(None, _id)),
    actions.BeginBuild: WorkKind(None, _image),
    actions.MovePointer: WorkKind(None, _pointer),
    actions.Make: WorkKind(Lane.MAKE, _id),
    actions.Copy: WorkKind(Lane.COPY, _id),
    actions.Validate: WorkKind(Lane.TRY, _id),
    actions.KeepSnapshot: WorkKind(Lane.KEEP, _id),
    actions.RetireUpload: WorkKind(Lane.KEEP, _id),
    actions.CondemnUpload: WorkKind(Lane.KEEP, _id),
    actions.EraseImage: WorkKind(Lane.KEEP, _id),
    actions.ForgetBuild: WorkKind(Lane.KEEP, _id),
    actions.SweepImage: WorkKind(Lane.KEEP, _swept),
    Look: WorkKind(Lane.LOOK, lambda one: f"look at {one.provider}"),
    ListPlace: WorkKind(Lane.LOOK, lambda one: f"listing of {one.place}"),
    ReadRecipes: WorkKind(Lane.READ, lambda _: "recipes"),
    MakeImage: WorkKind(None, lambda one: f"image {one.id}"),
    Publish: WorkKind(None, lambda _: "status"),
}
#: Who takes work binds a place in the lane in which it is done afterwards.
TAKES: Final[Mapping[type, Lane]] = {
    actions.TakeBuild: Lane.MAKE,
    actions.TakeUpload: Lane.COPY,
    actions.TryUpload: Lane.TRY,
}
#: Hands that are told when their work is not ours any more.
STOPPED: Final = (actions.Make, actions.Copy, actions.Validate)
