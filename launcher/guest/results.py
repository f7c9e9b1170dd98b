"""What becomes of letting somebody in; no I/O."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from launcher.actions import Action
from launcher.guest.actions import LetIn, NoteGuest
from launcher.guest.events import GuestTried
from launcher.node.results import NodeResults, crashed
from launcher.retries import PROVE_AGAIN_S
from launcher.world import World
from remuda.frame.work import Answers, ByKind, Written
from remuda.model.guest import Guest
from remuda.runtime.log import Log
from remuda.runtime.now import Now

#: A machine that does not answer so often in a row is not tried any more: somebody waits.
TRIES_MAX: Final = 5


@dataclass(slots=True)
class GuestResults:
    """Takes in what becomes of guests."""

    world: World
    nodes: NodeResults
    log: Log

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {GuestTried: self._tried}

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {NoteGuest: self._noted}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return dict.fromkeys((LetIn, NoteGuest), partial(crashed, self.world))

    def _tried(self, event: GuestTried, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None:
            return
        view.patience.tries = view.patience.tries + 1 if event.again else 0
        if event.again and view.patience.tries < TRIES_MAX:
            view.patience.retry_s = now.mono_s + PROVE_AGAIN_S
        else:
            view.patience.tries = 0
            view.guest = Guest(key=event.key, refused=event.why)
        self.world.touch_node(view)

    def _noted(self, action: NoteGuest, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is None:
            return
        view.guest = None  # its record says it
        refused = action.guest.refused
        level = self.log.info if refused is None else self.log.warning
        level("node.guest" if refused is None else "node.no_guest", node=view.id, cause=refused)
        self.world.touch_node(view)
