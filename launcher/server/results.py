"""What becomes of actions on servers: what the cloud answered; no I/O."""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from launcher.node import stages
from launcher.node.blame import result_of
from launcher.node.end import Refusal
from launcher.node.results import crashed
from launcher.node.view import NodeView
from launcher.provider.breaker import DOUBLINGS_MAX
from launcher.provider.learning import (
    learn_no_address,
    learn_no_answer,
    learn_no_room,
    learn_refusal,
)
from launcher.provider.results import note_trouble, note_well
from launcher.retries import CRASH_RETRY_S, PROVE_AGAIN_S
from launcher.server.actions import Address, CreateServer, DeleteServer, FindPorts, ListServers
from launcher.server.events import (
    Addressed,
    Created,
    Deleted,
    LeakDeleted,
    LeakSpared,
    Listed,
    PortsFound,
)
from launcher.server.listing import take_listing
from launcher.world import World
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    NoRoomError,
    NotSentError,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.frame.work import ByKind
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import NodeId
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey

PORTS_AGAIN_S: Final = 5.0
LIST_FAILED_MAX_S: Final = 60.0
DELETE_AGAIN_S: Final = 10.0
DELETE_AGAIN_MAX_S: Final = 300.0


@dataclass(slots=True)
class ServerResults:
    """Takes in what the cloud answered about servers.

    Attributes:
        host_keys: Private halves of the host keys of machines that were not asked for yet.
    """

    world: World
    host_keys: MutableMapping[NodeId, HostKey]
    owner: tags.Owner
    log: Log
    metrics: Metrics

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {
            Created: self._created,
            Listed: self._listed,
            PortsFound: self._ports_found,
            Deleted: self._deleted,
            LeakDeleted: self._leak_deleted,
            LeakSpared: self._leak_spared,
            Addressed: self._addressed,
        }

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return {
            **dict.fromkeys((CreateServer, DeleteServer, Address), partial(crashed, self.world)),
            ListServers: self._listing_crashed,
            FindPorts: self._look_at_ports_crashed,
        }

    def _created(self, event: Created, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        self.host_keys.pop(event.node, None)
        if view is None:
            return
        view.server.create_answered(self.world.cloud.latest_listing())
        result = event.result
        if not isinstance(result, CloudError):
            view.server.confirm(result)
            self.log.info("node.created", node=view.id, server=result)
        elif isinstance(result, TryLaterError):
            # Surely without effect: the same intent may be asked for again, but with a new
            # host key, for the private half of the old one is forgotten; simpler to begin anew.
            self._give_up(view, result, now)
        elif isinstance(result, UnknownOutcomeError):
            view.server.create_unanswered()
            learn_no_answer(self.world, view.key[0], result, now)
            self.log.warning("node.create-unknown", node=view.id, why=str(result))
        else:
            self._give_up(view, result, now)
        self.world.touch_node(view)

    def _give_up(self, view: NodeView, error: CloudError, now: Now) -> None:
        """Nothing was made: the intent is void."""
        view.server.create_refused()
        if isinstance(error, NotSentError):
            view.end = replace(view.end, refused=Refusal(result=None, cause=str(error)))
            return
        if isinstance(error, NoRoomError | TryLaterError):
            learn_no_room(self.world, view.key[0], error, now)
        if isinstance(error, BadOrderError):
            learn_refusal(self.world, view, error, now)
        if isinstance(error, UnauthorizedError):
            self.world.cloud.trouble = f"our credentials are not accepted ({error})"
        view.end = replace(view.end, refused=Refusal(result=result_of(error), cause=str(error)))

    def _listed(self, event: Listed, now: Now) -> None:
        cloud = self.world.cloud
        cloud.listed_s = event.begun_s
        if isinstance(event.result, CloudError):
            cloud.list_failures += 1
            doubled = 2.0 ** min(cloud.list_failures, DOUBLINGS_MAX)
            pause_s = min(LIST_FAILED_MAX_S, self.world.policy.config.list_period * doubled)
            cloud.list_due_s = now.mono_s + pause_s
            note_trouble(self.world, self.log, event.result)
            return
        cloud.list_failures = 0
        cloud.complete_wall_s = event.begun_wall_s
        note_well(self.world, self.log)
        take_listing(self.world, event.number, event.result, self.owner, now)

    def _ports_found(self, event: PortsFound, now: Now) -> None:
        cloud = self.world.cloud
        cloud.ports_due_s = event.begun_s + self.world.policy.config.list_period
        if isinstance(event.result, CloudError):
            cloud.ports_due_s, cloud.ports_why = now.mono_s + PORTS_AGAIN_S, str(event.result)
            self.log.warning("cloud.no-ports", why=str(event.result))
            return
        cloud.ports_why = None
        for server, port in event.result.items():
            view = self.world.nodes.views.get(self.world.nodes.by_server.get(server, NodeId("")))
            if view is not None:
                view.server.port = port
                self.world.touch_node(view)

    def _deleted(self, event: Deleted, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None or event.server != view.server.id:
            return  # it was taken for the node's, and another one was found to be
        view.server.released = view.server.released or event.released
        if isinstance(event.error, NotSentError):
            view.patience.retry_s = now.mono_s + PROVE_AGAIN_S
            self.world.touch_node(view)
            return
        if event.accepted:
            view.server.accept_delete(self.world.cloud.latest_listing())
        elif event.mistaken and not view.server.surely_ours:
            self.log.warning("node.not-its-server", node=view.id, server=view.server.id)
            view.server.mistake()
        else:
            self.log.warning("node.delete-failed", node=view.id, why=str(event.error))
        view.patience.delete_due_s = now.mono_s + min(
            DELETE_AGAIN_MAX_S, DELETE_AGAIN_S * 2.0 ** min(view.patience.tries, 8)
        )
        view.patience.tries += 1
        self.world.touch_node(view)

    def _leak_deleted(self, event: LeakDeleted, now: Now) -> None:  # noqa: ARG002
        self.world.cloud.forget_strays(event.server)
        if event.error is None:
            self.metrics.count_leaked(self.world.policy.provider, "instances", 1)
        why = event.error and str(event.error)
        self.log.warning("server.leaked", server=event.server, error=why)

    def _leak_spared(self, event: LeakSpared, now: Now) -> None:  # noqa: ARG002
        # What was seen before does not count any more: it has to be seen for as long again.
        self.world.cloud.forget_strays(event.server)
        self.log.warning("server.spared", server=event.server, why=event.why)

    def _addressed(self, event: Addressed, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None:
            return
        stages.addressed(view, event.result, now)
        if isinstance(event.result, CloudError):
            learn_no_address(self.world, view, event.result, now)
            self.log.warning("node.no-floating-ip", node=view.id, why=str(event.result))
        else:
            view.address = view.address.given(event.result, now.wall_s)
            view.patience.tries = 0
        self.world.touch_node(view)

    def _listing_crashed(self, _action: ListServers, now: Now) -> None:
        self.world.cloud.list_due_s = now.mono_s + CRASH_RETRY_S
        self.world.cloud.list_failures += 1

    def _look_at_ports_crashed(self, _action: FindPorts, now: Now) -> None:
        self.world.cloud.ports_due_s = now.mono_s + CRASH_RETRY_S
