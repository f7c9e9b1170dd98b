"""What follows when a step of a node is written: what is known of it, told of it, counted of it."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final

from launcher.actions import Adopt, Advance, Bury, Condemn, Free, MakeReady
from launcher.decide.blame import says_something
from launcher.decide.deadlines import EVIDENCE_S_MAX
from launcher.outcomes import learn_failure, learn_success
from launcher.stages import runs
from launcher.views import Failure, NodeView
from launcher.world import World
from remuda.metrics.results import Result
from remuda.metrics.sink import Metrics
from remuda.model.ids import NodeId
from remuda.model.launch import Step
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.ssh.hostkeys import HostKey

NodeAction = Adopt | Advance | Bury | Condemn | Free | MakeReady

#: Names of log events.
_STEPS: Final = {step: f"node.{step}" for step in Step}


@dataclass(slots=True, kw_only=True)
class NodeWritten:
    """Takes in that what an action says of a node is written.

    Attributes:
        host_keys: Private halves of the host keys of machines that were not asked for yet.
    """

    world: World
    host_keys: MutableMapping[NodeId, HostKey]
    log: Log
    metrics: Metrics

    def take(self, action: NodeAction, view: NodeView, now: Now) -> None:
        """Take in one action on a node that is still known."""
        if isinstance(action, Condemn):
            self._condemned(view, action, now)
        elif isinstance(action, MakeReady):
            self._made_ready(view, now)
        elif isinstance(action, Adopt):
            view.asked_in = self.world.cloud.latest_listing()
            view.doubtful = not self.world.created_here(view.id)
            self.log.info("node.adopted", node=view.id, step=view.launch and str(view.launch.step))
        elif isinstance(action, Advance):
            if action.launch.step is Step.PROVING:
                runs(self.world, view, now)
            self.log.info(_STEPS[action.launch.step], node=view.id, server=view.server_id)
        elif isinstance(action, Free):
            self.log.info("node.freed", node=view.id, cause=action.cause)

    def _condemned(self, view: NodeView, action: Condemn, now: Now) -> None:
        view.dying, view.why, view.tries, view.retry_s = True, action.cause, 0, 0.0
        self.host_keys.pop(view.id, None)
        level = self.log.info if action.result is None else self.log.warning
        level("node.condemned", node=view.id, label=view.key[1], cause=action.cause)
        if action.result is None:
            return
        until_s = now.mono_s + EVIDENCE_S_MAX
        view.failure = Failure(result=action.result, cause=action.cause, until_s=until_s)
        # That a create call had no answer was counted when it had none: not once more.
        unanswered = view.doubtful and view.server_id is None
        if says_something(action.result) and not unanswered:
            learn_failure(self.world, view, action.cause, now)
        self._count_launch(view, action.result, now)

    def _made_ready(self, view: NodeView, now: Now) -> None:
        learn_success(self.world, view, now)
        view.checked_s, view.tries = now.mono_s, 0
        self._count_launch(view, Result.READY, now)
        self.log.info("node.ready", node=view.id, label=view.key[1], server=view.server_id)

    def _count_launch(self, view: NodeView, result: str, now: Now) -> None:
        launch = view.launch
        if launch is None:
            return
        self.metrics.observe_launch(
            self.world.policy.provider,
            launch.pool,
            launch.label,
            az=launch.az,
            result=result,
            seconds=max(0.0, now.wall_s - launch.planned_s),
        )
