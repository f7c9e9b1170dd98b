"""What a plan may do about what holders ask of their machines."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, on_nodes
from remuda.model.capture import Capture
from remuda.model.ids import NodeId
from remuda.model.image import BuildId


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCapture:
    """Write whether an image is made of a machine as its holder asks: taken, or why not.

    Attributes:
        held: Whether to prove that who asked holds the node's lock.
    """

    node: NodeId
    capture: Capture
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteCaptureBuild:
    """Write which build was begun for a capture: no other one is begun for it."""

    node: NodeId
    build: BuildId


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = on_nodes(AnswerCapture, NoteCaptureBuild)
