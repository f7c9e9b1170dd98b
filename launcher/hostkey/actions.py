"""What a plan may do to have a held machine show another host key."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, Lane, its_machine, on_nodes
from remuda.frame.work import WorkKind
from remuda.model.heldkey import HostKeyChange
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeHostKey:
    """Have the machine make a host key beside the one that it shows, which it goes on showing.

    Attributes:
        unless: One that it has made before: if it shows that still, it makes none.
    """

    node: NodeId
    unless: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchHostKey:
    """Have the machine show the key that it has made, and no other; see that it does.

    Attributes:
        key: The new one, which is on record.
    """

    node: NodeId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteHostKey:
    """Write how far the change has come: into the launch record, and for users into the node's."""

    node: NodeId
    change: HostKeyChange


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    **on_nodes(NoteHostKey),
    MakeHostKey: WorkKind(Lane.PROBE, its_machine),
    SwitchHostKey: WorkKind(Lane.PROBE, its_machine),
}
