"""Which provider serves a request first: every launcher computes the same ranking.

Soonest wins: ready nodes, then room to make them, then the expected boot time; the configured
priority decides between equals, then a hash of the request, which spreads the load. The others
step in after a grace time that grows with their rank, so that nobody's death stops a request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.world import World
from remuda.membership.duty import weight
from remuda.model.component import PoolComponent
from remuda.model.imageask import labelled_image
from remuda.model.request import Request
from remuda.model.status import LabelStatus, ProviderStatus

#: Expected boot times closer than this are equal: their spread is larger.
BOOT_CLASS_S = 15.0


@dataclass(frozen=True, slots=True, order=True)
class Bid:
    """How soon a provider could serve a request; lower is better."""

    grade: int
    priority: int
    boot_class: int
    tie: int
    provider: str

    @property
    def ready(self) -> bool:
        """Whether the provider has all the nodes ready."""
        return self.grade == _READY

    @property
    def hopeful(self) -> bool:
        """Whether the provider has them ready, coming, or room to make them."""
        return self.grade <= _ROOM

    @property
    def hopeless(self) -> bool:
        """Whether the provider could not even start."""
        return self.grade >= _TROUBLE


_READY, _ROOM, _FULL, _TROUBLE = 0, 1, 2, 3


#: What all requests for the same labels, with the same pin, have in common of their bids, within
#: one plan.
KnownBids = dict[tuple[tuple[str, ...], tuple[str, ...], str | None], list[Bid]]


def bids(
    world: World, request: Request, own: ProviderStatus, known: KnownBids | None = None
) -> tuple[Bid, ...]:
    """Return the bids of the living providers that can make all labels, best first."""
    key = (request.labels, request.declined_by, request.provider)
    found = None if known is None else known.get(key)
    if found is None:
        found = _untied(world, request, own)
        if known is not None:
            known[key] = found
    if len(found) == 1:
        return tuple(found)
    # Higher weight wins in rendezvous hashing; a bid sorts ascending.
    return tuple(sorted(_tied(one, request) for one in found))


def _tied(bid: Bid, request: Request) -> Bid:
    tie = -weight(request.id, bid.provider)
    return Bid(bid.grade, bid.priority, bid.boot_class, tie, bid.provider)


def _untied(world: World, request: Request, own: ProviderStatus) -> list[Bid]:
    found = []
    for provider, priority in priorities(world, request, own).items():
        status = own if provider == own.provider else world.neighbours.status(provider)
        found.append(_bid(provider, priority, status, request))
    return found


def priorities(world: World, request: Request, own: ProviderStatus | None = None) -> dict[str, int]:
    """Return the providers that may serve the request, each with its best pool's priority.

    While a pin holds, that is the one alone. Ours counts as well unless *own* says otherwise.
    """
    best: dict[str, int] = {}
    for pool in _open_pools(world, request):
        best[pool.provider] = min(pool.priority, best.get(pool.provider, pool.priority))
    pin = pinned_to(world, request, own)
    if pin is None:
        return best
    return {pin: best[pin]} if pin in best else {}


def _open_pools(world: World, request: Request) -> Iterator[PoolComponent]:
    found = world.neighbours.candidates(frozenset(request.labels), frozenset(request.declined_by))
    return (pool for pool in found if not pool.paused)


def for_builder(request: Request) -> bool:
    """Whether a request is for machines that only builders ask for, by its labels."""
    return any(labelled_image(label) is not None for label in request.labels)


def pinned_to(world: World, request: Request, own: ProviderStatus | None = None) -> str | None:
    """Return the provider that the request is left to, or None: anybody may serve it.

    A pin is a preference. It holds while that provider has a registered pool that is not paused,
    has all labels and has not declined, and could at least start: not while it says that its cloud
    is in trouble or a label is broken, unless it has the nodes ready.

    A builder's is an order: what its machine is for lies there and nowhere else, and pools tell
    nobody that they make such machines.
    """
    pin = request.provider
    if pin is not None and for_builder(request):
        return pin
    if pin is None or all(pool.provider != pin for pool in _open_pools(world, request)):
        return None
    ours = own is not None and pin == own.provider
    status = own if ours else world.neighbours.status(pin)
    if status is not None and _grade(status, _counts(request.labels)) == _TROUBLE:
        return None
    return pin


def pinned_elsewhere(world: World, request: Request) -> bool:
    """Whether the request is left to another provider."""
    return pinned_to(world, request) not in (None, world.policy.provider)


def _bid(provider: str, priority: int, status: ProviderStatus | None, request: Request) -> Bid:
    if status is None:
        # Another program's launcher, or one that has not told yet: it can look after itself.
        return Bid(_FULL, priority, 0, 0, provider)
    wanted = _counts(request.labels)
    labels: Mapping[str, LabelStatus] = status.labels
    boot_s = max((labels[name].boot_s or 0.0 for name in wanted if name in labels), default=0.0)
    return Bid(_grade(status, wanted), priority, round(boot_s / BOOT_CLASS_S), 0, provider)


def _grade(status: ProviderStatus, wanted: Mapping[str, int]) -> int:
    labels = [(status.labels.get(name, LabelStatus()), n) for name, n in wanted.items()]
    if all(label.ready >= n for label, n in labels):
        return _READY
    if status.trouble is not None or any(
        label.broken and label.ready + label.coming < n for label, n in labels
    ):
        return _TROUBLE
    if all(label.ready + label.coming + label.room >= n for label, n in labels):
        return _ROOM
    return _FULL


def _counts(labels: tuple[str, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return counts
