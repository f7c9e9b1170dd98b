"""What results of hands do to the world: one function for each kind of event, no I/O.

After it, the node concerned is on the agenda again, and the next plan goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from launcher.actions import Action
from launcher.crashes import CRASH_RETRY_S, TIDY_PERIOD_S, free_look, free_request
from launcher.events import Event
from launcher.lanes import Lane
from launcher.node import stages
from launcher.node.actions import CollectEvidence
from launcher.node.blame import failed_step, result_of
from launcher.node.doors import known
from launcher.node.events import EvidenceCollected, IdsDrawn, Probed, Proved, ScriptBegun
from launcher.node.view import NodeView, Refusal
from launcher.provider.breaker import DOUBLINGS_MAX
from launcher.provider.events import Rescued, Surveyed, Tidied
from launcher.provider.learning import (
    learn_no_address,
    learn_no_answer,
    learn_no_room,
    learn_recipes,
    learn_refusal,
)
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
from launcher.written import SettleWrites
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    NoRoomError,
    NotSentError,
    TryLaterError,
    UnauthorizedError,
    UnknownOutcomeError,
)
from remuda.frame.dispatch import Dispatch
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import NodeId, RequestId
from remuda.runtime.log import Log
from remuda.runtime.now import Now

PROVE_AGAIN_S: Final = 1.0
PORTS_AGAIN_S: Final = 5.0
PROBES_MAX: Final = 2
#: Images, flavors and quota are looked up this often; sooner while something cannot be found.
SURVEY_PERIOD_S: Final = 300.0
SURVEY_SOON_S: Final = 30.0
SURVEY_FAILED_S: Final = 10.0
LIST_FAILED_MAX_S: Final = 60.0
DELETE_AGAIN_S: Final = 10.0
DELETE_AGAIN_MAX_S: Final = 300.0


@dataclass(slots=True)
class Settle:
    """Takes in the results of hands."""

    world: World
    dispatch: Dispatch[Action, Lane]
    writes: SettleWrites
    owner: tags.Owner
    log: Log
    metrics: Metrics
    _handlers: dict[type, Callable[..., None]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of handlers: every kind of event has one."""
        self._handlers = {
            Finished: self._finished,
            Written: self._written,
            IdsDrawn: self.writes.ids_drawn,
            Created: self._created,
            Listed: self._listed,
            PortsFound: self._ports_found,
            Deleted: self._deleted,
            LeakDeleted: self._leak_deleted,
            LeakSpared: self._leak_spared,
            Surveyed: self._surveyed,
            Addressed: self._addressed,
            ScriptBegun: partial(stages.script_begun, self.world),
            Proved: self._proved,
            Probed: self._knocked,
            EvidenceCollected: self._autopsy_done,
            Rescued: self._rescued,
            Tidied: self._tidied,
            HandCrashed: self._hand_crashed,
        }

    def settle(self, event: Event, now: Now) -> None:
        """Take in one event."""
        self.world.stories.ended(event, now)
        self._handlers[type(event)](event, now)

    def _finished(self, event: Finished[Action, Event], now: Now) -> None:
        brought = self.dispatch.finished(event)
        if brought is not None:
            self._handlers[type(brought)](brought, now)

    def _written(self, event: Written[Action], now: Now) -> None:
        self.dispatch.ended(event.action)
        self.writes.written(event, now)

    def _created(self, event: Created, now: Now) -> None:
        view = self._unbusy(event.node)
        self.writes.writer.host_keys.pop(event.node, None)
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
            self._trouble(event.result)
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
            view = self.world.nodes.views.get(self.world.nodes.by_server.get(server, NodeId("")))
            if view is not None:
                view.port = port
                self.world.touch_node(view)

    def _trouble(self, error: CloudError) -> None:
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

    def _surveyed(self, event: Surveyed, now: Now) -> None:
        cloud = self.world.cloud
        if event.policy is not None and event.policy is not self.world.policy:
            # The configuration has changed meanwhile: these are answers to old questions.
            cloud.survey_due_s = now.mono_s
            return
        if event.error is not None:
            cloud.survey_due_s = cloud.doubted_due_s = now.mono_s + SURVEY_FAILED_S
            if not cloud.recipes:
                # What was looked up before stays usable; without any nothing can be made.
                cloud.survey_failed = True
                self._trouble(event.error)
            return
        cloud.survey_failed = False
        for key, why in event.broken.items():
            if cloud.broken.get(key) != why:
                self.log.warning("label.broken", pool=key[0], label=key[1], why=why)
        learn_recipes(self.world, event)
        again_s = now.mono_s + (SURVEY_SOON_S if cloud.broken else SURVEY_PERIOD_S)
        whole = event.only is None
        cloud.survey_due_s = again_s if whole else min(cloud.survey_due_s, again_s)
        if whole:
            self._quota_told(event, now)
        self.world.agenda.supply = True

    def _quota_told(self, event: Surveyed, now: Now) -> None:
        """Take in the quota; while it is not known, what was told before is held to."""
        cloud = self.world.cloud
        if event.quota_why is None:
            cloud.quota, cloud.quota_ours = event.quota, event.ours
            cloud.quota_seen_s = round(now.wall_s)
        elif event.quota_why != cloud.quota_why:
            self.log.warning("cloud.no-quota", why=event.quota_why)
        cloud.quota_why = event.quota_why

    def _deleted(self, event: Deleted, now: Now) -> None:
        view = self._unbusy(event.node)
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
        view = self._unbusy(event.node)
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
        view = self._unbusy(event.node)
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

    def _knocked(self, event: Probed, now: Now) -> None:
        view = self._unbusy(event.node)
        if view is None:
            return
        view.checked_s = event.begun_s
        view.suspect = event.why is not None
        if event.why is None:
            view.tries = view.missed = 0
        else:
            view.tries += known(view, self.world.policy)
            view.retry_s = now.mono_s + PROVE_AGAIN_S
            if view.tries >= PROBES_MAX:
                view.refused = Refusal(result=None, cause=f"no longer answers: {event.why}")
                self._hand_over_failed(view)
        self.world.touch_node(view)

    def _hand_over_failed(self, view: NodeView) -> None:
        """Another machine has to be found, perhaps made: by then older looks are too old."""
        wanting = self.world.queue.views.get(view.wanted_by or RequestId(""))
        if wanting is not None:
            wanting.wanted_s = float("inf")

    def _autopsy_done(self, event: EvidenceCollected, now: Now) -> None:  # noqa: ARG002
        view = self._unbusy(event.node)
        if view is not None:
            view.failure = None
            self.world.touch_node(view)

    def _rescued(self, event: Rescued, now: Now) -> None:
        if event.again:
            self.world.rescues.add(event.provider)
            self.world.alarms.set("cloud", "rescue", now.mono_s + PROVE_AGAIN_S)

    def _tidied(self, event: Tidied, now: Now) -> None:
        cloud, provider = self.world.cloud, self.world.policy.provider
        interval_s = self.world.policy.config.port_cleanup_interval
        cloud.tidy_due_s = now.mono_s + min(TIDY_PERIOD_S, interval_s or TIDY_PERIOD_S)
        cloud.leftovers = event.seen
        self.world.rescues |= {one for one in event.claimants if one != provider}
        if event.ports:
            self.metrics.count_leaked(provider, "ports", event.ports)
        if event.floating_ips:
            self.metrics.count_leaked(provider, "floatingips", event.floating_ips)
        if event.removed or event.freed or event.ports or event.floating_ips:
            self.log.info(
                "launcher.tidied",
                records=event.removed,
                requests=event.freed,
                ports=event.ports,
                floating_ips=event.floating_ips,
            )

    def _hand_crashed(self, event: HandCrashed[Action], now: Now) -> None:
        self.dispatch.tell(event)
        free_request(self.world, event.action, now)
        node_id = getattr(event.action, "node", None)
        view = None if node_id is None else self._unbusy(node_id)
        if view is not None:
            view.retry_s = now.mono_s + CRASH_RETRY_S
            # Evidence is best effort: no machine stays for want of it.
            view.failure = None if isinstance(event.action, CollectEvidence) else view.failure
            self.world.touch_node(view)
        else:
            free_look(self.world, event.action, now)

    def _unbusy(self, node_id: NodeId) -> NodeView | None:
        view = self.world.nodes.views.get(node_id)
        if view is not None:
            view.busy = None
            self.world.touch_node(view)
        return view
