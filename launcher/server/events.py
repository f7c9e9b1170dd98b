"""What the cloud answered about servers."""

from collections.abc import Mapping
from dataclasses import dataclass

from remuda.cloud.api import CloudError, FloatingIp, Port, Server
from remuda.model.ids import NodeId, ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The cloud answered a create call."""

    node: NodeId
    result: ServerId | CloudError
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The cloud answered a listing.

    Attributes:
        begun_s: When it was begun (monotonic); *begun_wall_s*: the same by the wall clock, read
            then, for neither can be reckoned from the other later: one stands still while the host
            is suspended, the other is set.
    """

    number: int
    result: tuple[Server, ...] | CloudError
    begun_s: float
    begun_wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsFound:
    """The cloud answered a look at ports that was begun at *begun_s* (monotonic)."""

    result: Mapping[ServerId, Port] | CloudError
    begun_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The cloud answered a delete call.

    Attributes:
        server: Which one was to go.
        error: Why it was refused, or its outcome is unknown.
        released: The server has no floating IP any more.
        mistaken: The cloud says that it is not this node's: nothing was done to it.
    """

    node: NodeId
    server: ServerId
    error: CloudError | None
    released: bool = False
    mistaken: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the cloud took the call, or said that the server is gone."""
        return self.error is None and not self.mistaken


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakDeleted:
    """The cloud answered the deletion of a leaked server."""

    server: ServerId
    error: CloudError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakSpared:
    """A server that seemed to be leaked was not touched: ZooKeeper, asked anew, says otherwise."""

    server: ServerId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """A floating IP was given, or not."""

    node: NodeId
    result: FloatingIp | CloudError
