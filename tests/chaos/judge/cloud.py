"""The clouds' own journals: every server's life."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One line of a journal.

    Attributes:
        what: ``made``, ``deleting`` (a deletion was accepted), or the state it has now.
    """

    at_s: float
    what: str
    server: str
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def node(self) -> str:
        """The node that it was made for; empty if it is not ours."""
        return self.metadata.get("remuda_node_id", "")

    @property
    def provider(self) -> str:
        """Whose launchers made it; empty if it is not ours."""
        return self.metadata.get("remuda_provider", "")

    @property
    def installation(self) -> str:
        """Which installation made it; empty if it is not ours."""
        return self.metadata.get("remuda_installation", "")


def read_journal(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """Yield the events of a journal."""
    for line in lines:
        doc: dict[str, Any] = json.loads(line)
        yield ServerEvent(doc["at"], doc["event"], doc["server"], doc["metadata"])


@dataclass(slots=True)
class Server:
    """One server that is there."""

    made: ServerEvent
    state: str = "build"
    doomed: bool = False

    @property
    def node(self) -> str:
        """The node that it was made for."""
        return self.made.node

    @property
    def provider(self) -> str:
        """Whose launchers made it."""
        return self.made.provider


class Servers:
    """The servers of all clouds that are there after the events that were applied."""

    def __init__(self) -> None:
        self.living: dict[str, Server] = {}

    def apply(self, event: ServerEvent) -> None:
        """Apply an event."""
        if event.what == "made":
            self.living[event.server] = Server(event)
        elif event.what == "deleted":
            self.living.pop(event.server, None)
        elif event.server in self.living:
            server = self.living[event.server]
            server.doomed = server.doomed or event.what == "deleting"
            server.state = server.state if event.what == "deleting" else event.what

    def of_node(self, node: str) -> list[Server]:
        """Return the living servers that were made for a node."""
        return [one for one in self.living.values() if one.node == node]

    def of_provider(self, provider: str) -> int:
        """Count the living servers that a provider's launchers made."""
        return sum(one.provider == provider for one in self.living.values())
