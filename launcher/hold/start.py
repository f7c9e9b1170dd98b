"""Starting what is done about holds: transactions, and a look at a machine."""

from dataclasses import dataclass

from launcher.events import Submit
from launcher.hold import writes
from launcher.hold.actions import AnswerHold, DropAutohold, KeepNode, LookIn, NoteHold
from launcher.hold.hand_look import LookHands
from launcher.hold.orders import order
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class HoldStarts:
    """Starts what is done about holds; none of its methods waits."""

    world: World
    writer: Writer
    submit: Submit
    hands: LookHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            AnswerHold: self._answer,
            KeepNode: self._keep,
            NoteHold: self._note,
            LookIn: self._look_in,
            DropAutohold: self._drop,
        }

    def _answer(self, action: AnswerHold, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.answer_hold(self.world, view, action))

    def _keep(self, action: KeepNode, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.keep_node(self.world, view, action, now_s=now.wall_s))

    def _note(self, action: NoteHold, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.note_hold(self.world, view, action, now_s=now.wall_s))

    def _look_in(self, action: LookIn, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        wanted = order(view, self.world.policy, action.warning)
        self.submit(action, lambda: self.hands.look_in(action, wanted))

    def _drop(self, action: DropAutohold, _now: Now) -> None:
        self.writer.send(action, writes.drop_autohold(action))
