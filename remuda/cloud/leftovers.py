"""What a cloud keeps although no server needs it any more."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.model.ids import ServerId


class LeftoverKind(StrEnum):
    """What a cloud keeps although no server needs it."""

    PORT = "port"
    FLOATING_IP = "floating ip"


ALL_KINDS: Final[Collection[LeftoverKind]] = frozenset(LeftoverKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A thing that seems to be nobody's: look twice before deleting it.

    Attributes:
        server: The server it was made for; who still has a server of that id must keep it.
        revision: Counts the thing's changes, if the cloud does; lets a deletion fail safely.
    """

    id: str
    kind: LeftoverKind
    server: ServerId | None = None
    address: str | None = None
    revision: int | None = None
