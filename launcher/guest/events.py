"""What becomes of letting somebody in."""

from dataclasses import dataclass

from remuda.model.ids import NodeId
from remuda.model.publickey import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestTried:
    """A guest key was put onto a machine, or could not be.

    Attributes:
        why: Why not; None: it is there.
        again: The machine did not answer this time, and may the next.
    """

    node: NodeId
    key: str
    why: str | None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysSet:
    """The keys of a wish were put onto a machine or taken off it, or could not be.

    Attributes:
        why: Why not; None: it is done.
        again: The machine did not answer this time, and may the next.
    """

    node: NodeId
    token: str
    account: str
    keys: tuple[PublicKey, ...]
    name: str
    why: str | None
    again: bool = False
    certificate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFetched:
    """The keys of a developer were fetched, or could not be.

    Attributes:
        found: The keys, or why there are none.
    """

    node: NodeId
    url: str
    found: tuple[PublicKey, ...] | str
