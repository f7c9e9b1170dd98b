"""What a plan may do about holds."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, Lane, its_machine, on_nodes
from remuda.frame.work import WorkKind, nothing
from remuda.model.hold import Hold
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHold:
    """Write whether a node that is in use will be held, as its holder wishes, or why not.

    Attributes:
        contender: Of the wisher in the node's lock, to be proven; None: it is refused anyway.
    """

    node: NodeId
    hold: Hold
    contender: str | None

    @property
    def counts(self) -> bool:
        """Whether one more machine is kept by it than before."""
        return self.hold.refused is None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepNode:
    """Set a node that its job has let go held, instead of condemning it.

    Attributes:
        fires: The autohold that keeps it, to be counted down; None: it was granted before.
    """

    node: NodeId
    hold: Hold
    fires: str | None = None

    @property
    def counts(self) -> bool:
        """Whether one more machine is kept by it than before: what was granted counts already."""
        return self.fires is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteHold:
    """Write what has become of a hold: it was seen first, is longer, or its people were told.

    Attributes:
        news: What happened, for the log: none for a mere look.
        fires: The autohold that another program's hold counts down, or None.
    """

    node: NodeId
    hold: Hold
    news: tuple[str, ...] = ()
    fires: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookIn:
    """See who is logged in on a held machine, with the provider's own key.

    Attributes:
        warning: What people on it are told, on their terminals; None: nothing.
    """

    node: NodeId
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DropAutohold:
    """Remove an autohold that was over long ago."""

    autohold: str
    version: int


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    **on_nodes(AnswerHold, KeepNode, NoteHold),
    LookIn: WorkKind(Lane.PROBE, its_machine),
    DropAutohold: WorkKind(None, nothing),
}
