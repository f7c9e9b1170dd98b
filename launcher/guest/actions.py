"""What a plan may do to let somebody onto a running machine."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, Lane, its_machine, on_nodes
from remuda.frame.work import WorkKind
from remuda.model.guest import Guest
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """Put a guest key onto a running machine, with the provider's own key."""

    node: NodeId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteGuest:
    """Write what has become of a guest key, for who waits to log in with it."""

    node: NodeId
    guest: Guest


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    **on_nodes(NoteGuest),
    LetIn: WorkKind(Lane.PROBE, its_machine),
}
