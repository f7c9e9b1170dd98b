"""What one pass over demand has taken so far, and the intents that it writes."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from launcher.actions import Plan
from launcher.image.binding import Bound, asked, bind, fitting, for_anybody
from launcher.node.actions import Intent
from launcher.node.birth import intend
from launcher.node.budget import Budget
from launcher.node.shortage import Shortage
from launcher.node.view import NodeView
from launcher.policy import Key, plain
from launcher.provider.cloud import Recipe
from launcher.provider.status import OwnStatus
from launcher.request.bids import KnownBids
from launcher.request.view import MayGet, RequestView
from launcher.world import World
from remuda.model.ids import NodeId, RequestId
from remuda.model.imageask import ImageUse
from remuda.model.request import Request, RequestState
from remuda.runtime.now import Now

#: Nodes started in one plan besides new claims; the next plan goes on. Bounds one transaction.
INTENTS_MAX = 200

#: What a request wants, and the words that were last written of it.
WaitingKind = tuple[tuple[str, ...], bool, str | None, tuple[str, ...], str]


@dataclass(slots=True)
class DemandPass:
    """One pass over the waiting requests.

    Attributes:
        allocated, given: Requests that this plan fulfils, and the nodes they get.
        extra, needed: Nodes that this plan starts for anybody, and that its claims need.
        numbers: Intents that were thought of, so that no two are given the same number.
        short: Why claims lack nodes of a key, before the room for those was set aside.
        blocked: By pool, an old request that needs room there first.
        emptying: Pools in which a node is being deleted already.
        starved: Claimed requests that lack room, in service order, and why.
        elsewhere: Whether another provider has nodes for these labels ready.
        passed_on: Labels of the requests that were given back of late; None: not counted yet.
        whole: Whether all requests are judged; *thorough*: those that others have taken as well.
        crowded: Pools for whose room somebody waits.
        stuck: Requests that were found to wait, by what they want and the words that were written
            for them, with the pools that are short of room: who wants the same waits as well.
        left_behind: Ready nodes made for requests that we gave back; None: not looked for yet.
        promised: Ready nodes that fit together for a request which would get others otherwise, and
            *covered* those requests, as far as they were looked at.
        idle: Ready nodes that are free, or looked at, by pool and label; None: not counted yet.
    """

    world: World
    now: Now
    plan: Plan
    budget: Budget
    status: OwnStatus
    allocated: frozenset[RequestId]
    given: frozenset[NodeId]
    emptying: frozenset[str]
    extra: Counter[Key] = field(default_factory=Counter)
    needed: Counter[Key] = field(default_factory=Counter)
    blocked: dict[str, RequestId] = field(default_factory=dict)
    claims: int = 0
    intents: int = 0
    numbers: int = 0
    making_room: bool = False
    short: dict[Key, Shortage] = field(default_factory=dict)
    starved: list[tuple[RequestView, Shortage]] = field(default_factory=list)
    known_bids: KnownBids = field(default_factory=dict)
    elsewhere: dict[tuple[str, ...], bool] = field(default_factory=dict)
    passed_on: Counter[str] | None = None
    whole: bool = False
    thorough: bool = False
    crowded: set[str] = field(default_factory=set)
    stuck: dict[WaitingKind, frozenset[str]] = field(default_factory=dict)
    left_behind: tuple[tuple[RequestId, NodeView], ...] | None = None
    promised: set[NodeId] = field(default_factory=set)
    covered: dict[tuple[RequestId, str], bool] = field(default_factory=dict)
    idle: dict[Key, list[NodeId]] | None = None

    def covers(self, view: RequestView, pool: str) -> bool:
        """Whether ready nodes fit together for a request that would be given its own otherwise.

        They are about to be handed out: by a replica of ours, after a look at them, or after those
        who go first. Whatever they are promised to is no supply for others.
        """
        known = (view.id, pool)
        if view.may_get is MayGet.MATCHING and known not in self.covered:
            self.covered[known] = self._cover(view, pool)
        return self.covered.get(known, False)

    def _cover(self, view: RequestView, pool: str) -> bool:
        if self.idle is None:
            self.idle = _idle(self.world)
        labels, needed = view.request.labels, self.world.queue.needed
        ready = {
            label: [
                node
                for node in self.idle.get((pool, label), ())
                if node not in self.promised and node not in self.given
            ]
            for label in set(labels)
        }
        spoken_for = {label: needed[pool, label] + self.needed[pool, label] for label in ready}
        chosen = fitting(self.world, labels, ready, spoken_for)
        self.promised.update(chosen or ())
        for label in labels if chosen is not None else ():
            self.needed[pool, label] += 1
        return chosen is not None

    def supply(self, key: Key) -> int:
        """Return the nodes of *key* that are there or coming, less what claims need of them."""
        index, queue = self.world.nodes, self.world.queue
        have = len(index.free.get(key, ())) + index.coming[key] + self.extra[key]
        return have - queue.needed[key] - self.needed[key]

    def kind(self, view: RequestView) -> WaitingKind | None:
        """Return what a request wants and is known to wait for, or None."""
        words = self.world.told_verdicts.get(view.id)
        if words is None:
            return None
        return _kind(view.request, words)

    def unsettled(
        self, views: Iterable[RequestView], asked: Collection[RequestId]
    ) -> Iterator[RequestView]:
        """Yield the requests to think about: those that were *asked* for, and all in doubt.

        No doubt is about an open request if one before it that wants the same waits, and what was
        written of both is still true. Most of a long queue is like that, and a plan must not
        think of each anew. What the caller finds out of one request counts for the next.
        """
        told_verdicts, stuck, claims = self.world.told_verdicts, self.stuck, self.world.queue.claims
        patient_since_s = self.now.mono_s - self.world.policy.patience_s
        pending, thorough = RequestState.PENDING, self.thorough
        for view in views:
            request, ours = view.request, view.id in asked or view.id in claims
            if request.state is pending and not (ours or thorough):
                continue  # it is spoken of when it changes, and once a minute
            words = told_verdicts.get(view.id)
            pools = None if ours or words is None else stuck.get(_kind(request, words))
            # An impatient one wants to hold back those behind it; the first of them does.
            if pools is None or (
                view.seen_s < patient_since_s and not pools <= self.blocked.keys()
            ):
                yield view

    def spent(self, view: RequestView) -> bool:
        """Whether so many launches failed on account of a claimed request that it is given up.

        Each label by itself: a machine that never boots must not be tried as often as all others
        of its request together might be.
        """
        attempts, charges = self.world.policy.config.launch_attempts, self.world.queue.charges
        if view.request.image is not None and view.request.image.use is ImageUse.PROVE:
            attempts = 1  # each is a try of its own, which its builder judges
        failed, labels = charges.by_label(view.id), view.request.labels
        return any(n >= attempts * max(1, labels.count(label)) for label, n in failed.items())

    def blocker(self, view: RequestView, pool: str) -> RequestId | None:
        """Return the request that is to have room in *pool* before *view*, or None."""
        queue = self.world.queue
        blocker = queue.views.get(self.blocked.get(pool, RequestId("")))
        if blocker is None or not blocker.waiting or blocker.order >= view.order:
            return None
        if blocker.request.state is RequestState.PENDING and blocker.id not in queue.claims:
            return None  # another provider has taken it
        return blocker.id

    def lacking(self, view: RequestView, pool: str) -> dict[str, int]:
        """Return what a new claim of *pool* lacks: labels of nodes neither there nor coming."""
        lacking: dict[str, int] = {}
        for label in view.request.labels:
            if label in lacking:
                continue
            n = view.request.labels.count(label)
            if not view.may_get.own:
                have = max(0, self.supply((pool, label)))
            else:
                # From an earlier claim, perhaps.
                have = self.world.nodes.dedicated[view.id, label]
                have = n if self.covers(view, pool) else have
            lacking[label] = max(0, n - have)
        return lacking

    def missing(self, view: RequestView, pool: str) -> tuple[Intent, ...] | Shortage:
        """Return the intents for what a request needs beyond what is there or coming.

        There is room for all of them, or none is taken. Those that may not be started yet are
        left to a later plan, as long as one may.
        """
        intents: list[Intent] = []
        held: list[tuple[Key, Recipe]] = []
        later: Shortage | None = None
        only = view if view.may_get.own else None
        lacking = self.lacking(view, pool)
        for label, n in sorted(lacking.items()):
            key = (pool, label)
            bound = bind(self.world, self.now, key, only) if n else Bound()
            if isinstance(bound, Shortage):
                self._give_back(intents, held)
                return bound
            for _ in range(n):
                short = self.budget.no_room(key)
                if short is not None:
                    self._give_back(intents, held)
                    if not short.pools or sum(lacking.values()) == 1:
                        return short
                    # In words of all that it lacks, not of what was left for the last one of them.
                    return self.budget.no_room_for(pool, lacking) or short
                short = self.budget.not_yet(key)
                if short is None:
                    self.budget.take(key, self._recipe(key, bound.first_use))
                    intents.append(self._intent(key, only, bound, on_account_of=view.id))
                else:
                    recipe = self._recipe(key, bound.first_use)
                    self.budget.reserve(key, recipe)
                    held.append((key, recipe))
                    later = later or short
        if later is not None and not intents:
            self._give_back(intents, held)
            return later
        return tuple(intents)

    def _recipe(self, key: Key, first_use: str | None) -> Recipe:
        """Return what a new machine is made of; one that runs a recipe boots what that does."""
        recipes = self.world.cloud.recipes
        found = None if first_use is None else recipes.get(plain(key))
        return recipes[key] if found is None else found

    def _give_back(self, intents: list[Intent], held: list[tuple[Key, Recipe]]) -> None:
        for intent in intents:
            key = (intent.pool, intent.label)
            self.budget.take_back(key, self._recipe(key, intent.first_use))
        for key, recipe in held:
            self.budget.reserve(key, recipe, -1)

    def book(self, view: RequestView, pool: str, intents: tuple[Intent, ...]) -> None:
        """Count a new claim and its intents."""
        if view.may_get.own:
            return
        for intent in intents:
            self.extra[pool, intent.label] += 1
        for label in view.request.labels:
            self.needed[pool, label] += 1

    def grow(self, key: Key, n: int, only: RequestView | None = None) -> tuple[Intent, ...]:
        """Return up to *n* intents of *key*, as far as there is room, and something to boot."""
        bound = bind(self.world, self.now, key, only) if n > 0 else Bound()
        if isinstance(bound, Shortage):
            self.short.setdefault(key, bound)
            return ()
        intents = []
        for _ in range(n):
            if self.budget.shortage(key) is not None or self.intents >= INTENTS_MAX:
                break
            self.budget.take(key, self._recipe(key, bound.first_use))
            self.intents += 1
            self.extra[key] += only is None
            intents.append(self._intent(key, only, bound))
        return tuple(intents)

    def _intent(
        self,
        key: Key,
        only: RequestView | None,
        bound: Bound,
        on_account_of: RequestId | None = None,
    ) -> Intent:
        ask = None if only is None else asked(only, key[1])
        number = self.world.nodes.usage[key[0]].instances + self.numbers
        self.numbers += 1
        if only is None:
            bound = for_anybody(self.world, self.now, key, bound, number)
        return intend(
            self.world.policy,
            key,
            self._recipe(key, bound.first_use),
            number,
            for_request=None if only is None else only.id,
            on_account_of=on_account_of,
            upload=bound.upload,
            first_use=bound.first_use,
            opened=bound.opened,
            login_key=None if ask is None else ask.login_key,
        )


def _idle(world: World) -> dict[Key, list[NodeId]]:
    """Return the ready nodes that nobody has, by pool and label; those at work are left out."""
    idle: dict[Key, list[NodeId]] = {}
    for view in world.nodes.views.values():
        if view.allocatable or view.on_hand:
            idle.setdefault(view.key, []).append(view.id)
    return idle


def _kind(request: Request, words: str) -> WaitingKind:
    return (request.labels, request.reuse, request.provider, request.declined_by, words)
