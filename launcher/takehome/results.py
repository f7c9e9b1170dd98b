"""What becomes of what was written of machines that are taken home; no I/O."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from launcher.actions import Action
from launcher.node.results import NodeResults, crashed
from launcher.takehome.actions import AnswerSnapshot, BeginTakeHome
from launcher.world import World
from remuda.frame.work import Answers, ByKind, Written
from remuda.metrics.sink import Metrics
from remuda.runtime.log import Log
from remuda.runtime.now import Now

#: The result of a wish that breaks a rule, in metrics.
REFUSED: Final = "refused"


@dataclass(slots=True)
class TakeHomeResults:
    """Takes it in."""

    world: World
    nodes: NodeResults
    log: Log
    metrics: Metrics

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {AnswerSnapshot: self._answered, BeginTakeHome: self._begun}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return dict.fromkeys((AnswerSnapshot, BeginTakeHome), partial(crashed, self.world))

    def _answered(self, action: AnswerSnapshot, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is None:
            return
        answer = action.answer
        level = self.log.info if answer.refused is None else self.log.warning
        word = "node.takehome_granted" if answer.refused is None else "node.takehome_refused"
        level(word, node=view.id, share_with=answer.wish.share_with, cause=answer.refused)
        if answer.refused is not None:
            self.metrics.count_take_home(self.world.policy.provider, REFUSED)
        self.world.touch_node(view)

    def _begun(self, action: BeginTakeHome, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is not None:
            view.host_key = None  # what a visit has brought is of before that
            self.log.info("node.takehome", node=view.id)
            self.world.touch_node(view)
