"""What becomes of letting somebody in; no I/O."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from launcher.actions import Action
from launcher.guest.actions import FetchKeys, LetIn, NoteGuest, NoteKeys, SetKeys
from launcher.guest.events import GuestTried, KeysFetched, KeysSet
from launcher.guest.tried import NO_KEYS, KeysView
from launcher.node.results import NodeResults, crashed
from launcher.node.view import NodeView
from launcher.retries import PROVE_AGAIN_S
from launcher.world import World
from remuda.frame.work import Answers, ByKind, Written
from remuda.model.guest import Guest
from remuda.model.hold import HoldKey
from remuda.runtime.log import Log
from remuda.runtime.now import Now

#: A machine that does not answer so often in a row is not tried any more: somebody waits.
TRIES_MAX: Final = 5
#: Keys that could not be taken off are tried again after this, as long as the machine is held.
OFF_AGAIN_S: Final = 15.0


@dataclass(slots=True)
class GuestResults:
    """Takes in what becomes of guests."""

    world: World
    nodes: NodeResults
    log: Log

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {
            GuestTried: self._tried,
            KeysSet: self._keys_set,
            KeysFetched: self._keys_fetched,
        }

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {NoteGuest: self._noted, NoteKeys: self._keys_noted}

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        kinds = (LetIn, NoteGuest, SetKeys, FetchKeys, NoteKeys)
        return dict.fromkeys(kinds, partial(crashed, self.world))

    def _tried(self, event: GuestTried, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None:
            return
        retry_s = now.mono_s + PROVE_AGAIN_S
        if not view.patience.tried(again=event.again, most=TRIES_MAX, retry_s=retry_s):
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

    def _keys_set(self, event: KeysSet, now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is None:
            return
        if view.dying:
            self._keys_off(view, event)
            return
        retry_s = now.mono_s + PROVE_AGAIN_S
        if event.why is not None and not event.keys:
            # They are on the machine still, and its record goes on saying so.
            view.patience.tries = view.patience.tries + 1 if event.again else 0
            self.log.warning("node.key_stays", node=view.id, cause=event.why)
            view.patience.retry_s = now.mono_s + OFF_AGAIN_S
        elif not view.patience.tried(again=event.again, most=TRIES_MAX, retry_s=retry_s):
            tried = tuple(
                HoldKey(
                    token=event.token,
                    fingerprint=one.fingerprint,
                    name=event.name,
                    account=event.account,
                    at_s=round(now.wall_s, 3),
                    refused=event.why,
                    certificate=event.certificate,
                )
                for one in event.keys
            )
            view.keys = replace(view.keys, token=event.token, tried=tried)
        self.world.touch_node(view)

    def _keys_off(self, view: NodeView, event: KeysSet) -> None:
        """Take in what became of keys of a machine that is being deleted, which goes on."""
        if event.why is None and not event.keys:
            view.keys = KeysView(token=event.token)
        else:
            self.log.warning("node.key_stays", node=view.id, cause=event.why)
            view.keys = KeysView(given_up=event.why is not None)
        self.world.touch_node(view)

    def _keys_fetched(self, event: KeysFetched, _now: Now) -> None:
        view = self.world.nodes.views.get(event.node)
        if view is not None:
            view.keys = KeysView(fetched={event.url: event.found})
            self.world.touch_node(view)

    def _keys_noted(self, action: NoteKeys, event: Written[Action], now: Now) -> None:
        view = self.nodes.written(action.node, event, now)
        if view is None:
            return
        view.keys = NO_KEYS  # the record says it
        for one in action.keys:
            level = self.log.info if one.refused is None else self.log.warning
            level(
                "node.key" if one.refused is None else "node.no_key",
                node=view.id,
                key=one.fingerprint,
                account=one.account,
                cause=one.refused,
            )
        if not action.keys:
            self.log.info("node.key_off", node=view.id)
        self.world.touch_node(view)
