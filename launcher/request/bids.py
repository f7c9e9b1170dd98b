"""Which provider serves a request first: every launcher computes the same ranking.

Soonest wins: ready nodes, then room to make them, then the expected boot time; the configured
priority decides between equals, then a hash of the request, which spreads the load. The others
step in after a grace time that grows with their rank, so that nobody's death stops a request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from launcher.request.view import RequestView
from launcher.world import World
from remuda.membership.rendezvous import weight
from remuda.model.component import PoolComponent
from remuda.model.imageask import labelled_image
from remuda.model.request import Request
from remuda.model.status import ProviderStatus

#: Expected boot times closer than this are equal: their spread is larger.
BOOT_CLASS_S = 15.0


@dataclass(frozen=True, slots=True)
class Bid:
    """How soon a provider could serve a request; lower is better."""

    grade: int
    priority: int
    boot_class: int
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
KnownBids = dict[tuple[tuple[str, ...], tuple[str, ...], str | None, bool], list[Bid]]


def bids(
    world: World, view: RequestView, own: ProviderStatus, known: KnownBids | None = None
) -> tuple[Bid, ...]:
    """Return the bids of the living providers that can make all labels, best first."""
    request = view.request
    key = (request.labels, request.declined_by, request.provider, view.may_get.own)
    found = None if known is None else known.get(key)
    if found is None:
        found = _untied(world, view, own)
        if known is not None:
            known[key] = found
    if len(found) == 1:
        return tuple(found)
    return tuple(sorted(found, key=lambda bid: _rank(bid, request)))


def _rank(bid: Bid, request: Request) -> tuple[int, int, int, int, str]:
    # Higher weight wins in rendezvous hashing; a rank sorts ascending.
    tie = -weight(request.id, bid.provider)
    return (bid.grade, bid.priority, bid.boot_class, tie, bid.provider)


def _untied(world: World, view: RequestView, own: ProviderStatus) -> list[Bid]:
    pools = _pools_by_provider(world, view.request)
    found = []
    for provider, priority in priorities(world, view, own).items():
        status = own if provider == own.provider else world.peers.status(provider)
        found.append(_bid(provider, priority, status, pools[provider], view))
    return found


def priorities(
    world: World, view: RequestView, own: ProviderStatus | None = None
) -> dict[str, int]:
    """Return the providers that may serve the request, each with its best pool's priority.

    While a pin holds, that is the one alone. Ours counts as well unless *own* says otherwise.
    """
    best: dict[str, int] = {}
    for pool in _open_pools(world, view.request):
        best[pool.provider] = min(pool.priority, best.get(pool.provider, pool.priority))
    pin = pinned_to(world, view, own)
    if pin is None:
        return best
    return {pin: best[pin]} if pin in best else {}


def _open_pools(world: World, request: Request) -> Iterator[PoolComponent]:
    found = world.peers.candidates(frozenset(request.labels), frozenset(request.declined_by))
    return (pool for pool in found if not pool.paused)


def _pools_by_provider(world: World, request: Request) -> dict[str, set[str]]:
    pools: dict[str, set[str]] = {}
    for pool in _open_pools(world, request):
        pools.setdefault(pool.provider, set()).add(pool.pool)
    return pools


def for_builder(request: Request) -> bool:
    """Whether a request is for machines that only builders ask for, by its labels."""
    return any(labelled_image(label) is not None for label in request.labels)


def pinned_to(world: World, view: RequestView, own: ProviderStatus | None = None) -> str | None:
    """Return the provider that the request is left to, or None: anybody may serve it.

    A pin is a preference. It holds while that provider has a registered pool that is not paused,
    has all labels and has not declined, and could at least start: not while it says that its cloud
    is in trouble or a label is broken, unless it has the nodes ready and the request may get them.

    A builder's is an order: what its machine is for lies there and nowhere else, and pools tell
    nobody that they make such machines.
    """
    pin = view.request.provider
    if pin is not None and for_builder(view.request):
        return pin
    if pin is None:
        return None
    pools = _pools_by_provider(world, view.request).get(pin)
    if pools is None:
        return None
    ours = own is not None and pin == own.provider
    status = own if ours else world.peers.status(pin)
    if status is not None and _grade(status, pools, view) == _TROUBLE:
        return None
    return pin


def pinned_elsewhere(world: World, view: RequestView) -> bool:
    """Whether the request is left to another provider."""
    return pinned_to(world, view) not in (None, world.policy.provider)


def ready_there(world: World, view: RequestView) -> frozenset[str]:
    """Return the other providers that say they have all nodes of a request ready, in one pool."""
    wanted, found = _counted(view.request), set()
    for pool in _open_pools(world, view.request):
        status = world.peers.status(pool.provider)
        if status is not None and pool.provider != world.policy.provider:
            labels = ((status.standing(pool.pool, name), n) for name, n in wanted.items())
            if all(label.ready >= n for label, n in labels):
                found.add(pool.provider)
    return frozenset(found)


def _bid(
    provider: str, priority: int, status: ProviderStatus | None, pools: set[str], view: RequestView
) -> Bid:
    if status is None:
        # Another program's launcher, or one that has not told yet: it can look after itself.
        return Bid(_FULL, priority, 0, provider)
    labels = status.labels
    wanted = set(view.request.labels)
    boot_s = max((labels[name].boot_s or 0.0 for name in wanted if name in labels), default=0.0)
    grade = _grade(status, pools, view)
    return Bid(grade, priority, round(boot_s / BOOT_CLASS_S), provider)


def _grade(status: ProviderStatus, pools: set[str], view: RequestView) -> int:
    """Return how well the best of *pools* stands: all nodes of a request come from one."""
    wanted = _counted(view.request)
    return min(_grade_of_pool(status, pool, view, wanted) for pool in pools)


def _counted(request: Request) -> Mapping[str, int]:
    """Return how many nodes of each label are wanted; most requests want one, or a few."""
    return {label: request.labels.count(label) for label in request.labels}


def _grade_of_pool(
    status: ProviderStatus, pool: str, view: RequestView, wanted: Mapping[str, int]
) -> int:
    labels = [(status.standing(pool, name), n) for name, n in wanted.items()]
    if view.may_get.own:
        # It gets none of these, or those that fit together by chance: which, no status says.
        labels = [(replace(label, ready=0, coming=0), n) for label, n in labels]
    if all(label.ready >= n for label, n in labels):
        return _READY
    if status.trouble is not None or any(
        label.broken and label.ready + label.coming < n for label, n in labels
    ):
        return _TROUBLE
    if all(label.ready + label.coming + label.room >= n for label, n in labels):
        return _ROOM
    return _FULL
