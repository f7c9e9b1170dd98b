"""Starting actions on requests: mark what is busy, then send the transaction."""

from dataclasses import dataclass

from launcher.request import writes as request_writes
from launcher.request.actions import Allocate, Decline, Normalise, Release, WriteVerdict
from launcher.request.taken import TAKEN_PERIOD_S
from launcher.request.verdicts import gist
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class RequestStarts:
    """Starts actions on requests; none of its methods waits."""

    world: World
    writer: Writer

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            Allocate: self._allocate,
            Decline: self._decline,
            Release: self._release,
            Normalise: self._normalise,
            WriteVerdict: self._write_verdict,
        }

    def _allocate(self, action: Allocate, now: Now) -> None:
        view = self.world.queue.views[action.request]
        chosen = [self.world.nodes.views[node_id] for node_id in action.nodes]
        ops = request_writes.allocate(self.world, view, chosen, now_s=now.wall_s)
        self.writer.send(action, ops)
        self.world.allocating[view.id] = view  # what could not be sent brings no answer

    def _decline(self, action: Decline, now: Now) -> None:
        view = self.world.queue.views[action.request]
        ops = request_writes.decline(self.world, view, action.cause, now_s=now.wall_s)
        self.writer.send(action, ops)

    def _release(self, action: Release, now: Now) -> None:
        view = self.world.queue.views[action.request]
        self.writer.send(action, request_writes.release(self.world, view, now_s=now.wall_s))

    def _normalise(self, action: Normalise, _now: Now) -> None:
        view = self.world.queue.views[action.request]
        self.writer.send(action, request_writes.normalise(view))

    def _write_verdict(self, action: WriteVerdict, now: Now) -> None:
        self.writer.send(action, request_writes.verdict(self.world, action.request, action.verdict))
        if action.taken:
            self.world.rule_taken_s = now.mono_s + TAKEN_PERIOD_S
        if action.verdict is not None:
            self.world.told_verdicts[action.request] = gist(action.verdict)
        else:
            self.world.told_verdicts.pop(action.request, None)
