"""What becomes of answers to holders; no I/O."""

from dataclasses import dataclass
from functools import partial

from launcher.actions import Action
from launcher.capture.actions import AnswerCapture, NoteCaptureBuild
from launcher.node.results import NodeResults, crashed
from launcher.world import World
from remuda.frame.work import Answers, ByKind, Written
from remuda.runtime.log import Log
from remuda.runtime.now import Now


@dataclass(slots=True)
class CaptureResults:
    """Takes in what becomes of answers."""

    world: World
    nodes: NodeResults
    log: Log

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {AnswerCapture: self._answered, NoteCaptureBuild: self._noted}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return dict.fromkeys((AnswerCapture, NoteCaptureBuild), partial(crashed, self.world))

    def _answered(self, action: AnswerCapture, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is None:
            return
        capture = action.capture
        level = self.log.info if capture.refused is None else self.log.warning
        word = "node.capture_taken" if capture.refused is None else "node.capture_refused"
        level(
            word,
            node=view.id,
            image=capture.ask.image,
            requestor=capture.requestor,
            cause=capture.refused,
        )
        self.world.touch_node(view)

    def _noted(self, action: NoteCaptureBuild, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is not None:
            self.log.info("node.captured", node=view.id, build=str(action.build))
            self.world.touch_node(view)
