"""Folding records of requests into the world."""

from dataclasses import dataclass

from launcher.lanes import request as request_subject
from launcher.request.view import RequestView
from launcher.world import World
from remuda.model import request
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import RequestId
from remuda.store.api import Dirty, Gone, Put


@dataclass(slots=True)
class RequestFold:
    """Folds records of requests into *world*."""

    world: World

    def take(self, request_id: RequestId, change: Put | Dirty | Gone, now_s: float) -> None:
        """Take in what became of a request's record."""
        queue = self.world.queue
        view = queue.views.get(request_id)
        if isinstance(change, Gone):
            queue.unread.discard(request_id)
            queue.forget(request_id)
            self.world.agenda.requests.add(request_id)
            self.world.agenda.nodes.update(self.world.nodes.allocated.get(request_id, ()))
            if view is not None and request_id in queue.claims:
                self.world.balance_changed(view.request.labels)
            return
        if isinstance(change, Dirty):
            # A replica of ours may fulfil it before we have read it for the first time.
            if view is None:
                queue.unread.add(request_id)
            else:
                view.stale = True
            return
        if change.stored is None:
            return
        try:
            record = request.decode(request_id, change.stored.value)
        except CorruptRecordError:
            self.unread(request_id)
            raise
        queue.unread.discard(request_id)
        if view is None:
            view = queue.views[request_id] = RequestView(
                id=request_id, request=record, version=change.stored.version, seen_s=now_s
            )
            view.busy = self.world.busy_with(request_subject(request_id))
        view.request, view.version, view.stale = record, change.stored.version, False
        self.world.touch_request(view)

    def unread(self, request_id: RequestId) -> None:
        """Know no more of a request than that it is there."""
        self.world.queue.forget(request_id)
        self.world.queue.unread.add(request_id)
