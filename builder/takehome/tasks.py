"""What the hands of take-home images are told, and what they do."""

from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from builder.takehome.events import TakeHomeEnded
from remuda.model.ids import ReplicaId
from remuda.model.takehome import TakeHome
from remuda.store.api import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeHomeTask:
    """Carry one on, as it was judged.

    Attributes:
        me: The builder that does.
        stop: Set when the hand is to end.
    """

    record: Stored[TakeHome]
    me: ReplicaId
    stop: Event = field(default_factory=Event)


class TakeHomeMaker(Protocol):
    """Makes, keeps and ends take-home images; it reads the records anew, before it deletes."""

    def make(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Make one, and write what came of it."""

    def end(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Delete one, if it is over by what is on record this very moment."""

    def keep(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Answer whether one is kept for longer, as is on record this very moment."""
