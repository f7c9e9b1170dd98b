"""What becomes of the change of a host key; no I/O."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from launcher.actions import Action
from launcher.hostkey.actions import MakeHostKey, NoteHostKey, SwitchHostKey
from launcher.hostkey.events import HostKeyTried
from launcher.hostkey.view import HostKeyNews
from launcher.node.results import NodeResults, crashed
from launcher.retries import PROVE_AGAIN_S
from launcher.world import World
from remuda.frame.work import Answers, ByKind, Written
from remuda.model.heldkey import HostKeyChange, HostKeyEvent, HostKeyStep, moved
from remuda.runtime.log import Log
from remuda.runtime.now import Now

#: A machine that does not answer so often in a row keeps its key: its people wait for theirs.
TRIES_MAX: Final = 8


@dataclass(slots=True)
class HostKeyResults:
    """Takes in what becomes of host keys."""

    world: World
    nodes: NodeResults
    log: Log

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {HostKeyTried: self._tried}

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {NoteHostKey: self._noted}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        kinds = (MakeHostKey, SwitchHostKey, NoteHostKey)
        return dict.fromkeys(kinds, partial(crashed, self.world))

    def _tried(self, event: HostKeyTried, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None or view.launch is None or view.launch.hold is None:
            return
        before = view.launch.hold.host_key
        if follows(before, event):
            retry_s = now.mono_s + PROVE_AGAIN_S
            if not view.patience.tried(again=event.again, most=TRIES_MAX, retry_s=retry_s):
                view.host_key = HostKeyNews(before=before, after=_after(before, event, now))
        self.world.touch_node(view)

    def _noted(self, action: NoteHostKey, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is None:
            return
        view.host_key = None  # its record says it
        if action.change.step is HostKeyStep.CHANGED:
            self.log.info("hold.host_key_changed", node=view.id, key=action.change.key)
        elif action.change.step is HostKeyStep.KEPT:
            self.log.warning("hold.host_key_kept", node=view.id, cause=action.change.why)
        self.world.touch_node(view)


def follows(before: HostKeyChange | None, event: HostKeyTried) -> bool:
    """Whether an event is of what is on record: another launcher may have gone on meanwhile."""
    if event.wanted is HostKeyEvent.MADE:
        return before is None or before.step is HostKeyStep.ANEW
    if before is None or before.key != event.key:
        return False
    return before.step in {HostKeyStep.MADE, HostKeyStep.ANEW}


def _after(before: HostKeyChange | None, event: HostKeyTried, now: Now) -> HostKeyChange:
    known = event.wanted if event.why is None else HostKeyEvent.FAILED
    key = event.key if event.why is None else None
    return moved(before, known, at_s=round(now.wall_s, 3), key=key, why=event.why)
