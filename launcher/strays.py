"""Servers that carry our tag but belong to no record that we know of: leaks, perhaps."""

from dataclasses import dataclass
from typing import Final

from remuda.cloud.api import Server, ServerStatus
from remuda.model.ids import NodeId

#: Nobody works on these: the machine never came up, or goes away.
_UNUSED: Final = frozenset({ServerStatus.BUILDING, ServerStatus.ERROR, ServerStatus.DELETING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """One of them.

    Attributes:
        node: The node that its tags name; None: a check of our provider has left it.
        sightings: How many listings in a row showed it as one.
        since_s: When the first of them came (monotonic).
    """

    server: Server
    node: NodeId | None
    sightings: int
    since_s: float

    @property
    def may_be_in_use(self) -> bool:
        """Whether somebody may work on it: also on one that is stopped, or that is doubtful."""
        return self.server.status not in _UNUSED
