"""Starting what is done about the host keys of held machines."""

from dataclasses import dataclass

from launcher.events import Submit
from launcher.hostkey import writes
from launcher.hostkey.actions import MakeHostKey, NoteHostKey, SwitchHostKey
from launcher.hostkey.hand_change import HostKeyHands
from launcher.hostkey.orders import make_order, switch_order
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class HostKeyStarts:
    """Starts what is done about host keys; none of its methods waits."""

    world: World
    writer: Writer
    submit: Submit
    hands: HostKeyHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {MakeHostKey: self._make, SwitchHostKey: self._switch, NoteHostKey: self._note}

    def _make(self, action: MakeHostKey, _now: Now) -> None:
        wanted = make_order(self.world.nodes.views[action.node], self.world.policy, action)
        self.submit(action, lambda: self.hands.make(action, wanted))

    def _switch(self, action: SwitchHostKey, _now: Now) -> None:
        wanted = switch_order(self.world.nodes.views[action.node], self.world.policy, action)
        self.submit(action, lambda: self.hands.switch(action, wanted))

    def _note(self, action: NoteHostKey, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.note_host_key(self.world, view, action))
