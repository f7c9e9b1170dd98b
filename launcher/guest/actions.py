"""What a plan may do to let somebody onto a running machine."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, Lane, its_machine, on_nodes
from remuda.frame.work import WorkKind
from remuda.model.guest import Guest
from remuda.model.hold import HoldKey
from remuda.model.ids import NodeId
from remuda.model.publickey import PublicKey


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SetKeys:
    """Put the keys of one wish onto a held machine, or take them off again.

    Attributes:
        token: Of the wish; nothing but its own keys is touched.
        account: Whose door it is.
        keys: What opens it; none: they are taken off.
        name: Whose they are, for people.
        certify_until_s: The authority of the site opens it for the key instead, until then.
    """

    node: NodeId
    token: str
    account: str
    keys: tuple[PublicKey, ...] = ()
    name: str = ""
    certify_until_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchKeys:
    """Fetch the keys of a developer from where the configuration says that they are."""

    node: NodeId
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKeys:
    """Write what has become of the keys of one wish; none: they are on the machine no more."""

    node: NodeId
    token: str
    keys: tuple[HoldKey, ...]


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    **on_nodes(NoteGuest, NoteKeys),
    LetIn: WorkKind(Lane.PROBE, its_machine),
    SetKeys: WorkKind(Lane.PROBE, its_machine),
    FetchKeys: WorkKind(Lane.PROBE, its_machine),
}
