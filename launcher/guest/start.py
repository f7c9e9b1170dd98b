"""Starting what lets somebody in."""

from dataclasses import dataclass, replace

from launcher.events import Submit
from launcher.guest import writes
from launcher.guest.actions import FetchKeys, LetIn, NoteGuest, NoteKeys, SetKeys
from launcher.guest.hand_guest import GuestHands
from launcher.guest.orders import key_order, order
from launcher.world import World
from launcher.writer import Writer
from remuda.frame.work import ByKind
from remuda.runtime.now import Now


@dataclass(slots=True)
class GuestStarts:
    """Starts what is done for guests; none of its methods waits."""

    world: World
    writer: Writer
    submit: Submit
    hands: GuestHands

    def table(self) -> ByKind:
        """Return what starts each kind of action."""
        return {
            LetIn: self._let_in,
            NoteGuest: self._note,
            SetKeys: self._set_keys,
            FetchKeys: self._fetch,
            NoteKeys: self._note_keys,
        }

    def _let_in(self, action: LetIn, _now: Now) -> None:
        wanted = order(self.world.nodes.views[action.node], self.world.policy, action.key)
        self.submit(action, lambda: self.hands.let_in(action, wanted))

    def _note(self, action: NoteGuest, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.note_guest(self.world, view, action))

    def _set_keys(self, action: SetKeys, _now: Now) -> None:
        policy = self.world.policy
        wanted = key_order(self.world.nodes.views[action.node], policy, action)
        made = policy.holds.certificates
        hands = replace(self.hands, authority=None if made is None else made.ca_key_file)
        self.submit(action, lambda: hands.set_keys(action, wanted))

    def _fetch(self, action: FetchKeys, _now: Now) -> None:
        self.submit(action, lambda: self.hands.fetch(action))

    def _note_keys(self, action: NoteKeys, _now: Now) -> None:
        view = self.world.nodes.views[action.node]
        self.writer.send(action, writes.note_keys(self.world, view, action))
