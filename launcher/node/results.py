"""What results of hands at work on nodes do to the world: of the cloud's calls, and of proofs.

After it, the node concerned is on the agenda again, and the next plan goes on from there.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from launcher import stages
from launcher.breaker import DOUBLINGS_MAX
from launcher.decide.blame import failed_step, result_of
from launcher.decide.doors import known
from launcher.events import (
    Addressed,
    AutopsyDone,
    Created,
    Deleted,
    Event,
    Knocked,
    Listed,
    PortsFound,
    Proved,
    ScriptBegun,
)
from launcher.listing import take_listing
from launcher.outcomes import learn_no_address, learn_no_answer, learn_no_room, learn_refusal
from launcher.views import NodeView, Refusal
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
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import NodeId, RequestId
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey

PROVE_AGAIN_S: Final = 1.0
PORTS_AGAIN_S: Final = 5.0
KNOCKS_MAX: Final = 2
LIST_FAILED_MAX_S: Final = 60.0
DELETE_AGAIN_S: Final = 10.0
DELETE_AGAIN_MAX_S: Final = 300.0


@dataclass(slots=True, kw_only=True)
class NodeResults:
    """Takes in the results of hands at work on nodes.

    Attributes:
        host_keys: Private halves of the host keys of machines that were not asked for yet.
        handlers: One for each kind of event.
    """

    world: World
    host_keys: MutableMapping[NodeId, HostKey]
    owner: tags.Owner
    log: Log
    metrics: Metrics
    handlers: dict[type, Callable[..., None]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of handlers."""
        self.handlers = {
            Created: self._created,
            Listed: self._listed,
            PortsFound: self._ports_found,
            Deleted: self._deleted,
            Addressed: self._addressed,
            ScriptBegun: partial(stages.script_begun, self.world),
            Proved: self._proved,
            Knocked: self._knocked,
            AutopsyDone: self._autopsy_done,
        }

    def take(self, event: Event, now: Now) -> None:
        """Take in one event."""
        self.handlers[type(event)](event, now)

    def _created(self, event: Created, now: Now) -> None:
        view = self.unbusy(event.node)
        self.host_keys.pop(event.node, None)
        if view is None:
            return
        view.asked_in, view.lifeless = self.world.cloud.latest_listing(), 0
        result = event.result
        if not isinstance(result, CloudError):
            view.server_id, view.confirmed = result, True
            self.log.info("node.created", node=view.id, server=result)
        elif isinstance(result, TryLaterError):
            # Surely without effect: the same intent may be asked for again, but with a new
            # host key, for the private half of the old one is forgotten; simpler to begin anew.
            self._give_up(view, result, now)
        elif isinstance(result, UnknownOutcomeError):
            view.doubtful = True
            learn_no_answer(self.world, view.key[0], result, now)
            self.log.warning("node.create-unknown", node=view.id, why=str(result))
        else:
            self._give_up(view, result, now)
        self.world.touch_node(view)

    def _give_up(self, view: NodeView, error: CloudError, now: Now) -> None:
        """Nothing was made: the intent is void."""
        if isinstance(error, NotSentError):
            view.refused, view.create_sent = Refusal(result=None, cause=str(error)), False
            return
        if isinstance(error, NoRoomError | TryLaterError):
            learn_no_room(self.world, view.key[0], error, now)
        if isinstance(error, BadOrderError):
            learn_refusal(self.world, view, error, now)
        if isinstance(error, UnauthorizedError):
            self.world.cloud.trouble = f"our credentials are not accepted ({error})"
        view.refused = Refusal(result=result_of(error), cause=str(error))
        view.create_sent = False

    def _listed(self, event: Listed, now: Now) -> None:
        cloud = self.world.cloud
        cloud.listed_s = event.begun_s
        if isinstance(event.result, CloudError):
            cloud.list_failures += 1
            doubled = 2.0 ** min(cloud.list_failures, DOUBLINGS_MAX)
            pause_s = min(LIST_FAILED_MAX_S, self.world.policy.config.list_period * doubled)
            cloud.list_due_s = now.mono_s + pause_s
            self.trouble(event.result)
            return
        cloud.list_failures = 0
        cloud.complete_wall_s = event.begun_wall_s
        self._well()
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
            view = self.world.herd.views.get(self.world.herd.by_server.get(server, NodeId("")))
            if view is not None:
                view.port = port
                self.world.touch_node(view)

    def trouble(self, error: CloudError) -> None:
        """Note that the cloud did not answer what has to be known."""
        why = (
            f"our credentials are not accepted ({error})"
            if isinstance(error, UnauthorizedError)
            else str(error)
        )
        if self.world.cloud.trouble is None:
            self.log.warning("cloud.trouble", why=why)
        self.world.cloud.trouble = why
        self.world.agenda.supply = True

    def _well(self) -> None:
        if self.world.cloud.trouble is not None and not self.world.cloud.survey_failed:
            self.log.info("cloud.recovered")
            self.world.cloud.trouble = None
            self.world.agenda.supply = True

    def _deleted(self, event: Deleted, now: Now) -> None:
        view = self.unbusy(event.node)
        if view is None or event.server != view.server_id:
            return  # it was taken for the node's, and another one was found to be
        view.released = view.released or event.released
        if isinstance(event.error, NotSentError):
            view.retry_s = now.mono_s + PROVE_AGAIN_S
            self.world.touch_node(view)
            return
        if event.accepted:
            view.delete_accepted = True
            view.asked_in = self.world.cloud.latest_listing()
        elif event.mistaken and not view.confirmed:
            self.log.warning("node.not-its-server", node=view.id, server=view.server_id)
            view.server_id, view.released = None, False
        else:
            self.log.warning("node.delete-failed", node=view.id, why=str(event.error))
        view.delete_due_s = now.mono_s + min(
            DELETE_AGAIN_MAX_S, DELETE_AGAIN_S * 2.0 ** min(view.tries, 8)
        )
        view.tries += 1
        self.world.touch_node(view)

    def _addressed(self, event: Addressed, now: Now) -> None:
        view = self.unbusy(event.node)
        if view is None:
            return
        stages.addressed(view, event.result, now)
        if isinstance(event.result, CloudError):
            learn_no_address(self.world, view, event.result, now)
            self.log.warning("node.no-floating-ip", node=view.id, why=str(event.result))
        else:
            view.floating_ip, view.unaddressed, view.tries = event.result, None, 0
        self.world.touch_node(view)

    def _proved(self, event: Proved, now: Now) -> None:
        view = self.unbusy(event.node)
        if view is None or view.launch is None:
            return
        view.proof = event.proof.or_earlier(view.proof)
        stages.proved(view, event.proof, now)
        for step in event.proof.steps:
            self.metrics.observe_step(
                self.world.policy.provider, *view.key, str(step.step), step.seconds
            )
        if event.proof.ok:
            view.proven, view.host_keys = True, event.proof.host_keys
        elif event.proof.too_early or event.proof.stopped:
            view.retry_s = now.mono_s + PROVE_AGAIN_S
        else:
            view.refused = Refusal(result=failed_step(event.proof), cause=event.proof.why)
        self.world.touch_node(view)

    def _knocked(self, event: Knocked, now: Now) -> None:
        view = self.unbusy(event.node)
        if view is None:
            return
        view.checked_s = event.begun_s
        view.suspect = event.why is not None
        if event.why is None:
            view.tries = view.missed = 0
        else:
            view.tries += known(view, self.world.policy)
            view.retry_s = now.mono_s + PROVE_AGAIN_S
            if view.tries >= KNOCKS_MAX:
                view.refused = Refusal(result=None, cause=f"no longer answers: {event.why}")
                self._hand_over_failed(view)
        self.world.touch_node(view)

    def _hand_over_failed(self, view: NodeView) -> None:
        """Another machine has to be found, perhaps made: by then older looks are too old."""
        wanting = self.world.queue.views.get(view.wanted_by or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = float("inf")

    def _autopsy_done(self, event: AutopsyDone, now: Now) -> None:  # noqa: ARG002
        view = self.unbusy(event.node)
        if view is not None:
            view.failure = None
            self.world.touch_node(view)

    def unbusy(self, node_id: NodeId) -> NodeView | None:
        """Note that a hand has ended its work on a node; None: it is not known any more."""
        view = self.world.herd.views.get(node_id)
        if view is not None:
            view.busy = None
            self.world.touch_node(view)
        return view
