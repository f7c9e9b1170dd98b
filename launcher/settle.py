"""What results of hands do to the world: one function for each kind of event, no I/O.

After it, the node concerned is on the agenda again, and the next plan goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from launcher.actions import Action, Autopsy
from launcher.crashes import CRASH_RETRY_S, TIDY_PERIOD_S, free_look, free_request
from launcher.events import Event, IdsDrawn, LeakDeleted, LeakSpared, Rescued, Surveyed, Tidied
from launcher.lanes import Lane
from launcher.node.results import NodeResults
from launcher.outcomes import learn_recipes
from launcher.settle_writes import SettleWrites
from launcher.world import World
from remuda.frame.dispatch import Dispatch
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.metrics.sink import Metrics
from remuda.runtime.log import Log
from remuda.runtime.now import Now

#: When what a dead provider had claimed, and could not be given back at once, is looked at again.
RESCUE_AGAIN_S: Final = 1.0
#: Images, flavors and quota are looked up this often; sooner while something cannot be found.
SURVEY_PERIOD_S: Final = 300.0
SURVEY_SOON_S: Final = 30.0
SURVEY_FAILED_S: Final = 10.0


@dataclass(slots=True)
class Settle:
    """Takes in the results of hands."""

    world: World
    dispatch: Dispatch[Action, Lane]
    writes: SettleWrites
    nodes: NodeResults
    log: Log
    metrics: Metrics
    _handlers: dict[type, Callable[..., None]] = field(init=False)

    def __post_init__(self) -> None:
        """Make the table of handlers: every kind of event has one."""
        self._handlers = {
            Finished: self._finished,
            Written: self._written,
            IdsDrawn: self.writes.ids_drawn,
            LeakDeleted: self._leak_deleted,
            LeakSpared: self._leak_spared,
            Surveyed: self._surveyed,
            Rescued: self._rescued,
            Tidied: self._tidied,
            HandCrashed: self._hand_crashed,
            **self.nodes.handlers,
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
                self.nodes.trouble(event.error)
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

    def _rescued(self, event: Rescued, now: Now) -> None:
        if event.again:
            self.world.rescues.add(event.provider)
            self.world.alarms.set("cloud", "rescue", now.mono_s + RESCUE_AGAIN_S)

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
        view = None if node_id is None else self.nodes.unbusy(node_id)
        if view is not None:
            view.retry_s = now.mono_s + CRASH_RETRY_S
            # Evidence is best effort: no machine stays for want of it.
            view.failure = None if isinstance(event.action, Autopsy) else view.failure
            self.world.touch_node(view)
        else:
            free_look(self.world, event.action, now)
