"""Servers as values, and the store that holds them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sandbox.clock import Clock
from sandbox.compute.states import ServerEvent, ServerState, step
from sandbox.config import FlavorConfig
from sandbox.web.errors import ApiError

#: How many deleted servers ``changes-since`` can still show.
_GRAVES: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic:
    """One port of a server, with the floating addresses that point at it."""

    network_id: str
    network: str
    port_id: str
    address: str
    mac: str
    floating: tuple[str, ...] = ()
    own_port: bool = True  # made with the server, and deleted with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a server is in ERROR."""

    code: int
    message: str
    created_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server; times in seconds since the epoch.

    Attributes:
        task: Nova's ``task_state``, e.g. ``spawning``.
        image_id: Empty if it boots from a volume.
        flavor: As it was when the server was made.
    """

    id: str
    name: str
    project_id: str
    user_id: str
    flavor: FlavorConfig
    created_s: float
    updated_s: float
    state: ServerState = ServerState.BUILD
    task: str | None = None
    image_id: str = ""
    image_name: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    key_name: str | None = None
    nics: tuple[Nic, ...] = ()
    security_groups: tuple[str, ...] = ()
    config_drive: bool = False
    zone: str = "nova"
    host: str = ""
    description: str | None = None
    tags: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    reservation: str = ""
    launched_s: float | None = None
    deleted_s: float | None = None
    fault: Fault | None = None
    locked: bool = False

    @property
    def address(self) -> str:
        """The address its machine listens on; empty if it has none."""
        return self.nics[0].address if self.nics else ""


class ServerStore:
    """The servers of one region, oldest first.

    Attributes:
        told: Called with ``made``, ``deleting`` or a new state, and the server as it is then.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.servers: dict[str, Server] = {}
        self.graves: deque[Server] = deque(maxlen=_GRAVES)
        self.told: list[Callable[[str, Server], None]] = []

    def _tell(self, event: str, server: Server) -> None:
        for one in self.told:
            one(event, server)

    def get(self, server_id: str) -> Server:
        """Return a server.

        Raises:
            ApiError: 404, in Nova's words.
        """
        server = self.servers.get(server_id)
        if server is None:
            raise ApiError(404, f"Instance {server_id} could not be found.")
        return server

    def add(self, server: Server) -> None:
        """Add a new server."""
        self.servers[server.id] = server
        self._tell("made", server)

    def change(self, server_id: str, **values: Any) -> Server | None:
        """Change a server, not its state; None if it is gone."""
        server = self.servers.get(server_id)
        if server is None:
            return None
        changed = replace(server, updated_s=self.clock.now_s(), **values)
        self.servers[server_id] = changed
        if changed.task == "deleting" != server.task:
            self._tell("deleting", changed)
        if changed.state is not server.state:
            self._tell(str(changed.state).lower(), changed)
        return changed

    def step(self, server_id: str, event: ServerEvent, **values: Any) -> Server | None:
        """Move a server on; the only way its state changes.  None if it is gone."""
        server = self.servers.get(server_id)
        if server is None:
            return None
        changed = self.change(server_id, state=step(server.state, event), **values)
        if event is ServerEvent.DELETED and changed is not None:
            del self.servers[server_id]
            self.graves.append(replace(changed, deleted_s=changed.updated_s))
        return changed

    def of_project(self, project_id: str) -> Iterable[Server]:
        """Yield a project's servers."""
        return (each for each in self.servers.values() if each.project_id == project_id)

    def usage(self, project_id: str) -> tuple[int, int, int]:
        """Return instances, cores and RAM (MiB) a project uses."""
        flavors = [each.flavor for each in self.of_project(project_id)]
        return (
            len(flavors),
            sum(flavor.vcpus for flavor in flavors),
            sum(flavor.ram for flavor in flavors),
        )
