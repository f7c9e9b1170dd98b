"""Folding our provider's claims into the world."""

from dataclasses import dataclass

from launcher.claim.view import ClaimView, unreadable_claim
from launcher.world import World
from remuda.model import claim, launch
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import RequestId
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Stored


@dataclass(slots=True)
class ClaimFold:
    """Folds claims into *world*."""

    world: World

    def take(self, request_id: RequestId, change: Put | Dirty | Gone, now_s: float) -> None:
        """Take in what became of a claim's record."""
        claims = self.world.queue.claims
        if isinstance(change, Dirty) or (isinstance(change, Put) and change.stored is None):
            return
        try:
            if isinstance(change, Put) and change.stored is not None:
                self._put(request_id, change.stored, now_s)
            else:
                claims.pop(request_id, None)
                self.world.queue.charges.forget(request_id)
        finally:
            self.world.agenda.requests.add(request_id)
            view = self.world.queue.views.get(request_id)
            if view is not None:
                self.world.touch_request(view)
                self.world.balance_changed(view.request.labels)

    def _put(self, request_id: RequestId, stored: Stored[bytes], now_s: float) -> None:
        claims = self.world.queue.claims
        known, directory = claims.get(request_id), paths.request_lock(request_id)
        same = known is not None and known.made_s == stored.created_s
        self.world.queue.charges.begin(request_id, stored.created_s)
        try:
            record = claim.decode_claim(request_id, stored.value, directory=directory)
        except CorruptRecordError:
            if known is None or not same:
                claims[request_id] = unreadable_claim(stored, now_s)
            else:
                # Unreadable, but we know what was there: our next write replaces it.
                known.version = stored.version
            raise
        claims[request_id] = ClaimView(
            pool=record.pool,
            owner=record.owner,
            contender=record.contender,
            version=stored.version,
            made_s=stored.created_s,
            since_s=known.since_s if known is not None and same else now_s,
        )


def charge(world: World, record: launch.Launch, *, made_s: float) -> None:
    """Charge a failed launch to the request whose need it was made for."""
    charged = record.on_account_of
    if charged is None or record.failed is None:
        return
    held, charges = world.queue.claims.get(charged), world.queue.charges
    if held is not None and made_s < held.made_s:
        return
    why = record.why or record.failed
    if charges.add(charged, record.id, why, label=record.label, made_s=made_s):
        world.agenda.requests.add(charged)
