"""Starting what is done about machines that are taken home: a transaction each."""

from dataclasses import dataclass

from launcher.takehome import writes
from launcher.takehome.actions import AnswerSnapshot, BeginTakeHome
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class TakeHomeStarts:
    """Starts them; none of its methods waits."""

    world: World
    writer: Writer

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {AnswerSnapshot: self._answer, BeginTakeHome: self._begin}

    def _answer(self, action: AnswerSnapshot, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.answer_snapshot(self.world, view, action))

    def _begin(self, action: BeginTakeHome, now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.begin(self.world, view, now_s=now.wall_s))
