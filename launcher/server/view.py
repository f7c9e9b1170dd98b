"""What the brain remembers of a node's server; only its thread changes it."""

from dataclasses import dataclass
from typing import Final

from launcher.server.state import ServerEvent, ServerState, step
from remuda.cloud.api import Port, Server, ServerStatus
from remuda.cloud.whole import unfit
from remuda.model.ids import ServerId

_UNASKED: Final = ServerState.UNASKED
_DOUBTFUL: Final = ServerState.DOUBTFUL
_CONFIRMED: Final = ServerState.CONFIRMED
_DELETING: Final = ServerState.DELETING
_HINT_DELETING: Final = ServerState.HINT_DELETING


@dataclass(slots=True, kw_only=True, eq=False)
class ServerView:
    """A node's server: how sure it is, what listings showed of it, and what was asked of it.

    What is known of one server goes when another one is found to be the node's.

    Attributes:
        id: Which one it is, as far as anybody says; None: nobody does.
        shown: What the last listing showed, or None.
        port: Where a floating IP can lead; looked up for all nodes together.
        released: It has no floating IP any more.
        missed: So many listings in a row should have shown it, and did not.
        lifeless: So many listings in a row, begun after the create call was answered, showed the
            server in a state from which no boot will come.
        asked_in: Number of the last listing begun before the create or delete call was answered:
            only a later one proves that the server is gone.
        shown_in: Number of the last listing that showed the server.
        ready_in: Number of the last one begun before we learnt of the present step: only a later
            one surely shows where users reach a ready machine; this may not know its floating IP.
    """

    state: ServerState = ServerState.UNASKED
    id: ServerId | None = None
    shown: Server | None = None
    port: Port | None = None
    released: bool = False
    missed: int = 0
    lifeless: int = 0
    asked_in: int = 0
    shown_in: int = 0
    ready_in: int = 0

    @property
    def unfit(self) -> str | None:
        """What is against an image of the machine, as far as the last listing shows it, or None."""
        return None if self.shown is None else unfit(self.shown)

    @property
    def unasked(self) -> bool:
        """Whether none is known, and this process has not asked for one."""
        return self.state is _UNASKED

    @property
    def doubtful(self) -> bool:
        """Whether there may be one that nobody has seen: it takes up room, but is no supply."""
        return self.state is _DOUBTFUL

    @property
    def surely_ours(self) -> bool:
        """Whether the cloud itself named it; else it is a hint, by which nothing is deleted."""
        return self.state is _CONFIRMED or self.state is _DELETING

    @property
    def delete_accepted(self) -> bool:
        """Whether the cloud took a delete call, or said that there is no such server."""
        return self.state is _DELETING or self.state is _HINT_DELETING

    @property
    def status(self) -> ServerStatus | None:
        """Return how the last listing showed it, or None if it did not."""
        return None if self.shown is None else self.shown.status

    def send_create(self) -> None:
        """Note that a create call is under way."""
        self._step(ServerEvent.SENT)

    def create_answered(self, listing: int) -> None:
        """Note that the create call has ended, however; *listing* is the last that was begun."""
        self.asked_in, self.lifeless = listing, 0

    def create_refused(self) -> None:
        """Note that the create call surely made nothing."""
        self._step(ServerEvent.REFUSED)

    def create_unanswered(self) -> None:
        """Note that nobody knows whether the create call made something."""
        self._step(ServerEvent.UNANSWERED)

    def adopt(self, listing: int, *, created_here: bool) -> None:
        """Note that the node is ours from now on; *listing* is the last that was begun."""
        self.asked_in = listing
        self._step(ServerEvent.REGAINED if created_here else ServerEvent.ADOPTED)

    def hint(self, server: ServerId) -> None:
        """Take in which server the launch record names; what the cloud has said counts more."""
        if server == self.id:
            return
        self._step(ServerEvent.NAMED)
        if not self.surely_ours:
            self._take(server)

    def confirm(self, server: ServerId) -> None:
        """Take in which server the cloud names."""
        known = self.id is None or self.id == server
        self._step(ServerEvent.CONFIRMED if known else ServerEvent.REPLACED)
        self._take(server)

    def show(self, server: Server) -> None:
        """Take in what a listing shows by our tags."""
        self.confirm(server.id)
        self.shown, self.missed = server, 0

    def accept_delete(self, listing: int) -> None:
        """Note that the cloud took a delete call; *listing* is the last that was begun."""
        self._step(ServerEvent.ACCEPTED)
        self.asked_in = listing

    def mistake(self) -> None:
        """Note that the server that the record names is not the node's: none is known."""
        self._step(ServerEvent.MISTAKEN)
        self._take(None)

    def _step(self, event: ServerEvent) -> None:
        self.state = step(self.state, event)

    def _take(self, server: ServerId | None) -> None:
        """Know nothing of the server before: what was asked of it was not asked of this one."""
        if server != self.id:
            self.id, self.shown, self.port = server, None, None
            self.released, self.lifeless = False, 0
