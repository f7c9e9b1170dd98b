"""What becomes of actions about holds; no I/O."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from launcher.actions import Action
from launcher.hold.actions import AnswerHold, KeepNode, LookIn, NoteHold
from launcher.hold.events import LookedIn
from launcher.node.results import NodeResults, crashed
from launcher.world import World
from remuda.frame.work import Answers, ByKind, Written
from remuda.model.hold import Hold
from remuda.model.ids import NodeId
from remuda.runtime.log import Log
from remuda.runtime.now import Now

_WARNINGS: Final = frozenset({"hold.bounded", "hold.lost", "hold.ending", "hold.refused"})


@dataclass(slots=True)
class HoldResults:
    """Takes in what becomes of holds."""

    world: World
    nodes: NodeResults
    log: Log

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {LookedIn: self._looked}

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {AnswerHold: self._answered, KeepNode: self._kept, NoteHold: self._noted}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        kinds = (AnswerHold, KeepNode, NoteHold, LookIn)
        return dict.fromkeys(kinds, partial(crashed, self.world))

    def _looked(self, event: LookedIn, now: Now) -> None:  # noqa: ARG002 - one signature
        view = self.world.nodes.views.get(event.node)
        if view is not None:
            view.visit = event.visit
            self.world.touch_node(view)

    def _counted(self) -> None:
        """Have those judged that wait for a count, whatever became of it."""
        self.world.agenda.nodes |= self.world.uncounted
        self.world.uncounted.clear()

    def _answered(self, action: AnswerHold, event: Written[Action], now: Now) -> None:
        if action.counts:
            self._counted()
        view = self.nodes.written(action.node, event, now)
        if view is not None:
            self._tell(
                view.id, action.hold, "hold.refused" if action.hold.refused else "hold.granted"
            )
            self.world.touch_node(view)

    def _kept(self, action: KeepNode, event: Written[Action], now: Now) -> None:
        if action.counts:
            self._counted()
        view = self.nodes.written(action.node, event, now)
        if view is not None:
            view.patience.tries = 0
            if action.fires is not None:
                self._tell(view.id, action.hold, "autohold.fired")
            self._tell(view.id, action.hold, "hold.begun")
            self.world.touch_node(view)

    def _noted(self, action: NoteHold, event: Written[Action], now: Now) -> None:
        if action.fires is not None:
            self._counted()
        view = self.nodes.written(action.node, event, now)
        if view is None:
            return
        view.patience.tries = 0
        for word in action.news:
            self._tell(view.id, action.hold, word)
        self.world.touch_node(view)

    def _tell(self, node: NodeId, hold: Hold, word: str) -> None:
        level = self.log.warning if word in _WARNINGS else self.log.info
        last = hold.extended[-1] if hold.extended else None
        level(
            word,
            node=node,
            owner=hold.owner,
            reason=hold.reason,
            source=str(hold.source),
            ends_s=hold.ends_s,
            autohold=hold.autohold,
            logins=list(hold.logins) or None,
            cause=hold.refused or hold.lost or hold.bounded or (last.refused if last else None),
        )
