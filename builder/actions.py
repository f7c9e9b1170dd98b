"""All that a builder may do next, and the plan of a judgement; see the folders of the nouns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from builder.alarm.actions import RaiseAlarm
from builder.build import actions as build_actions
from builder.build.actions import BuildAction, TakeBuild
from builder.image import actions as image_actions
from builder.image.actions import MakeImage
from builder.lanes import Lane
from builder.place import actions as place_actions
from builder.place.actions import ListPlace, Look, SweepImage
from builder.pointer import actions as pointer_actions
from builder.pointer.actions import DropPointer, MovePointer
from builder.recipe import actions as recipe_actions
from builder.recipe.actions import ReadRecipes
from builder.status import actions as status_actions
from builder.status.actions import Publish
from builder.takehome import actions as takehome_actions
from builder.takehome.actions import TakeHomeAction
from builder.upload import actions as upload_actions
from builder.upload.actions import TakeUpload, TryUpload, UploadAction
from remuda.frame.work import WorkKind

#: What the judgements want.
JudgedAction = (
    BuildAction
    | UploadAction
    | MovePointer
    | DropPointer
    | SweepImage
    | RaiseAlarm
    | TakeHomeAction
)
#: All that is begun.
Action = JudgedAction | Look | ListPlace | ReadRecipes | MakeImage | Publish

#: Every kind of action but RaiseAlarm, which is all said with itself.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {
    **build_actions.KINDS,
    **upload_actions.KINDS,
    **pointer_actions.KINDS,
    **place_actions.KINDS,
    **recipe_actions.KINDS,
    **image_actions.KINDS,
    **status_actions.KINDS,
    **takehome_actions.KINDS,
}
#: Who takes work binds a place in the lane in which it is done afterwards.
TAKES: Final[Mapping[type, Lane]] = {
    TakeBuild: Lane.MAKE,
    TakeUpload: Lane.COPY,
    TryUpload: Lane.TRY,
}


@dataclass(slots=True)
class Plan:
    """What to do now, why the rest waits, and when to look again.

    Attributes:
        waits: By the name of what waits: one clause for people.
        wake_at_s: Nothing becomes due before this, wall clock; None: only news can change it.
    """

    actions: list[JudgedAction] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)
    wake_at_s: float | None = None

    def do(self, action: JudgedAction) -> None:
        """Add an action."""
        self.actions.append(action)

    def wait(self, name: object, because: str, until_s: float | None = None) -> None:
        """Say why something waits, and until when if that is known."""
        self.waits[str(name)] = because
        if until_s is not None:
            self.wake(until_s)

    def wake(self, at_s: float) -> None:
        """Look again then, at the latest."""
        self.wake_at_s = at_s if self.wake_at_s is None else min(self.wake_at_s, at_s)


Way = TypeVar("Way", TakeBuild, TryUpload)


def in_order(ways: Sequence[Way]) -> Way | None:
    """Return the first of some ways to take the same, each with the next one instead, or None."""
    first: Way | None = None
    for way in reversed(ways):
        first = replace(way, instead=first)
    return first
