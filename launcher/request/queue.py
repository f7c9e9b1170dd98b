"""All requests, waiting ones in service order, indexed by label."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sortedcontainers import SortedDict

from launcher.claim.charges import Charges
from launcher.claim.view import ClaimView
from launcher.policy import Key
from launcher.request.view import RequestView
from remuda.model.ids import RequestId
from remuda.model.request import RequestState

#: Place in the queue: service order, with the id to make it unique.
QueuePlace = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class _Booking:
    place: QueuePlace | None = None
    labels: tuple[str, ...] = ()
    claim_pool: str | None = None


def _booking(view: RequestView, claim: ClaimView | None) -> _Booking:
    # Who wants machines of its own waits for those made for it alone (NodeIndex.dedicated).
    return _Booking(
        place=(*view.order, view.id) if view.waiting else None,
        labels=view.request.labels,
        claim_pool=claim.pool if claim is not None and not view.may_get.own else None,
    )


@dataclass(slots=True)
class Queue:
    """The requests.

    Attributes:
        waiting: Those that still want nodes, in service order.
        by_label: The same, by each label they want.
        needed: How many nodes of a pool and label the requests that we have claimed want, except
            those that want new machines.
        claims: Our provider's claims; one may outlive its request until it is dropped.
        charges: Launches that failed on account of requests that we have claimed.
        unread: Requests that exist, but whose record is not read yet, or cannot be.
    """

    views: dict[RequestId, RequestView] = field(default_factory=dict)
    waiting: "SortedDict[QueuePlace, RequestView]" = field(default_factory=SortedDict)
    by_label: "dict[str, SortedDict[QueuePlace, RequestView]]" = field(
        default_factory=lambda: defaultdict(SortedDict)
    )
    needed: Counter[Key] = field(default_factory=Counter)
    claims: dict[RequestId, ClaimView] = field(default_factory=dict)
    charges: Charges = field(default_factory=Charges)
    unread: set[RequestId] = field(default_factory=set)
    _booked: dict[RequestId, _Booking] = field(default_factory=dict)

    def reindex(self, view: RequestView) -> None:
        """Bring the indices up to date with *view*; call after every change of it."""
        old = self._booked.get(view.id)
        new = _booking(view, self.claims.get(view.id)) if view.id in self.views else None
        if old == new:
            return
        if old is not None:
            self._remove(old)
        if new is None:
            self._booked.pop(view.id, None)
        else:
            self._add(new, view)
            self._booked[view.id] = new

    def forget(self, request_id: RequestId) -> None:
        """Drop a request that is gone."""
        view = self.views.pop(request_id, None)
        if view is not None:
            self.reindex(view)

    def _remove(self, booking: _Booking) -> None:
        if booking.place is None:
            return
        self.waiting.pop(booking.place, None)
        for label in set(booking.labels):
            self.by_label[label].pop(booking.place, None)
        if booking.claim_pool is not None:
            for label in booking.labels:
                self.needed[booking.claim_pool, label] -= 1

    def _add(self, booking: _Booking, view: RequestView) -> None:
        if booking.place is None:
            return
        self.waiting[booking.place] = view
        for label in set(booking.labels):
            self.by_label[label][booking.place] = view
        if booking.claim_pool is not None:
            for label in booking.labels:
                self.needed[booking.claim_pool, label] += 1

    def in_order(self) -> Iterator[RequestView]:
        """Yield the waiting requests in service order."""
        return iter(self.waiting.values())

    def wanting(self, label: str) -> Iterator[RequestView]:
        """Yield the waiting requests that want *label*, in service order."""
        by_label = self.by_label.get(label)
        return iter(()) if by_label is None else iter(by_label.values())

    def taken_elsewhere(self) -> tuple[RequestId, ...]:
        """Return the pending requests that our provider has not claimed."""
        return tuple(
            view.id
            for view in self.waiting.values()
            if view.request.state is RequestState.PENDING and view.id not in self.claims
        )

    def position(self, view: RequestView) -> int:
        """Return its place among all waiting requests, from 1."""
        return int(self.waiting.bisect_left((*view.order, view.id))) + 1
