"""Starting what answers holders: a transaction each."""

from dataclasses import dataclass

from launcher.capture import writes
from launcher.capture.actions import AnswerCapture, NoteCaptureBuild
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class CaptureStarts:
    """Starts answers; none of its methods waits."""

    world: World
    writer: Writer

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {AnswerCapture: self._answer, NoteCaptureBuild: self._note_build}

    def _answer(self, action: AnswerCapture, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.answer_capture(self.world, view, action))

    def _note_build(self, action: NoteCaptureBuild, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.note_build(self.world, view, action))
