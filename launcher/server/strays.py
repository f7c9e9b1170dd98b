"""Servers that carry our tag but belong to no record that we know of: leaks, perhaps."""

from dataclasses import dataclass
from typing import Final

from remuda.cloud.api import Server, ServerStatus
from remuda.model.ids import FIRST_NODE_NUMBER, NODE_ID_BLOCK, NodeId, is_node_id

#: Nobody works on these: the machine never came up, or goes away.
_UNUSED: Final = frozenset({ServerStatus.BUILDING, ServerStatus.ERROR, ServerStatus.DELETING})
#: The clocks of ZooKeeper and of the cloud may differ by this.
CLOUD_SKEW_S: Final = 60.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What ZooKeeper tells of the servers that can have been made from its records.

    Attributes:
        drawn: How many blocks of node numbers were drawn, less one.
        installation_s: When the id of the installation was written, by ZooKeeper's clock.
    """

    drawn: int
    installation_s: float

    def made(self, server: Server, node: NodeId | None) -> bool:
        """Whether a server can be from here: else it is another installation's, perhaps.

        Its number was drawn from our counter, and it is no older than the id that it carries:
        after a restore of older data, or a change of the id, that is not so.
        """
        if node is None:
            return True
        first_undrawn = FIRST_NODE_NUMBER + (self.drawn + 1) * NODE_ID_BLOCK
        drawn = is_node_id(node) and int(node) < first_undrawn
        return drawn and server.created_s + CLOUD_SKEW_S >= self.installation_s
