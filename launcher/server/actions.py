"""What a plan may ask of the cloud for servers."""

from dataclasses import dataclass
from typing import ClassVar, Final

from launcher.lanes import LISTING, PORTS, Kinds, Lane, its_machine, leak
from remuda.cloud.api import Port
from remuda.frame.work import WorkKind
from remuda.model.ids import NodeId, ServerId


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateServer:
    """Ask the cloud for the server of a planned node."""

    WORD: ClassVar = "Create"

    node: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Give a server a floating IP, so that it can be reached; *untried*: nobody has asked yet."""

    node: NodeId
    port: Port
    untried: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteServer:
    """Ask the cloud to delete a dying node's server, and its floating IP before it.

    Attributes:
        confirmed: The cloud said that it is this node's; else that is asked first.
        floating_ip: Id of the one that we gave it.
        hinted_ip: Id of the one that the launch record names.
        search: We know of none, but it may have one.
    """

    WORD: ClassVar = "Delete"

    node: NodeId
    server: ServerId
    confirmed: bool = False
    floating_ip: str | None = None
    hinted_ip: str | None = None
    search: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteLeak:
    """Delete a server that carries our tag but has no record, if ZooKeeper still says so.

    Attributes:
        node: Whose record would speak against it; None: a check has left it, which has none.
        search: Its floating IP goes, too.
    """

    server: ServerId
    node: NodeId | None
    cause: str
    search: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListServers:
    """Ask the cloud for all servers, once for all nodes."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPorts:
    """Ask the cloud for the ports of these servers, once for all that need a floating IP."""

    servers: tuple[ServerId, ...]


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = {
    ListServers: WorkKind(Lane.LIST, lambda _: LISTING),
    FindPorts: WorkKind(Lane.LIST, lambda _: PORTS),
    CreateServer: WorkKind(Lane.CREATE, its_machine),
    Address: WorkKind(Lane.CREATE, its_machine),
    # Though a hand that collects evidence of it hangs.
    DeleteServer: WorkKind(Lane.DELETE, its_machine, takes_over=True),
    DeleteLeak: WorkKind(Lane.DELETE, lambda action: leak(action.server)),
}
