"""Why a request waits: every provider's verdict, its place in the queue, and when it may end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.insight import tree
from remuda.insight.unheard import instead
from remuda.model import request as request_record
from remuda.model.codec import CorruptRecordError
from remuda.model.component import PoolComponent
from remuda.model.ids import ProviderName, RequestId
from remuda.model.imageask import labelled_image
from remuda.model.request import Request, RequestState
from remuda.model.status import Ruling, Verdict, decode_verdict
from remuda.store import paths
from remuda.store.api import Store

#: The most hopeful ruling first: what a person wants to read first.
_HOPE: Final = (Ruling.SERVING, Ruling.WAITING, Ruling.YIELDING, Ruling.DECLINED)
_OPEN: Final = frozenset({RequestState.REQUESTED, RequestState.PENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of one request.

    Attributes:
        state: Its state, or None if there is no such request (any more).
        verdicts: One per provider that has looked at it, the most hopeful first.
        unheard: One per other provider that is known, without a time: what its public records tell.
        missing_labels: Labels that no registered pool can make.
        pools: How many pools are registered; 0: no launcher is there at all.
        position: Its place among the waiting requests, from 1; None: not asked, or not waiting.
        queue_length: How many requests wait, with it; None: not asked.
        eta_s: Seconds until its nodes are expected, or None if nobody knows.
        waited_s: Seconds since it was made, or None if the record does not say.
        broken: Why its record cannot be read or served, or None.
    """

    request_id: RequestId
    state: RequestState | None
    labels: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    unheard: tuple[Verdict, ...] = ()
    missing_labels: tuple[str, ...] = ()
    pools: int = 0
    position: int | None = None
    queue_length: int | None = None
    eta_s: float | None = None
    waited_s: float | None = None
    broken: str | None = None

    @property
    def everybody(self) -> tuple[Verdict, ...]:
        """A verdict for each known provider, the most hopeful first."""
        return _in_order((*self.verdicts, *self.unheard))

    @property
    def sentence(self) -> str:
        """Everything that matters in one sentence, without a full stop."""
        if self.verdicts and self.state is not None:
            return "; ".join(f"{one.provider} {_words(one)}" for one in self.verdicts)
        if self.broken is not None:
            return f"its record cannot be served: {self.broken}"
        if self.state is None:
            return "there is no such request"
        if self.state is RequestState.FAILED:
            return "every provider declined it"
        return self._unseen

    @property
    def _unseen(self) -> str:
        """Why no provider has said anything of it yet."""
        if self.pools == 0:
            return "no launcher is running"
        if self.missing_labels:
            return f"no pool offers {', '.join(self.missing_labels)}"
        return "no provider has looked at it yet"

    def as_json(self) -> dict[str, Any]:
        """Return the explanation with the stable keys of docs/cli.md."""
        return {
            "request": self.request_id,
            "state": None if self.state is None else str(self.state),
            "labels": list(self.labels),
            "position": self.position,
            "queue_length": self.queue_length,
            "eta_s": self.eta_s,
            "waited_s": self.waited_s,
            "broken": self.broken,
            "missing_labels": list(self.missing_labels),
            "pools": self.pools,
            "verdicts": [
                {
                    "provider": one.provider,
                    "ruling": str(one.ruling),
                    "reason": one.reason,
                    "numbers": dict(one.numbers),
                    "eta_s": one.eta_s,
                    "at_s": one.at_s,
                }
                for one in self.everybody
            ],
        }


def _in_order(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    return tuple(sorted(verdicts, key=lambda one: (_HOPE.index(one.ruling), one.provider)))


def _words(verdict: Verdict) -> str:
    verb = {
        Ruling.SERVING: "serves it",
        Ruling.WAITING: "waits",
        Ruling.YIELDING: "leaves it to others",
        Ruling.DECLINED: "declined",
    }[verdict.ruling]
    return f"{verb} ({verdict.reason})" if verdict.reason else verb


def _offered_by_pools(label: str) -> bool:
    """Whether a pool says so if it makes machines of a label; those for images are said nowhere."""
    return labelled_image(label) is None


def service_order(one: Request) -> tuple[str, int, str]:
    """Return the key by which waiting requests are ordered, lower first (docs/znodes.md)."""
    return (one.priority, one.relative_priority, one.sequence)


def position_of(wanted: Request, requests: Iterable[Request]) -> tuple[int | None, int]:
    """Return the place of *wanted* among the waiting *requests*, from 1, and how many wait."""
    waiting = sorted((one for one in requests if one.state in _OPEN), key=service_order)
    ids = [one.id for one in waiting]
    return (ids.index(wanted.id) + 1 if wanted.id in ids else None), len(ids)


def compose(
    request_id: RequestId,
    request: Request | None,
    verdicts: Iterable[Verdict],
    *,
    components: Mapping[str, PoolComponent],
    queue: Iterable[Request] | None = None,
    unheard: Iterable[Verdict] = (),
    broken: str | None = None,
    now_s: float,
) -> Explanation:
    """Put an explanation together from what was read. Pure.

    Args:
        request_id: The request in question.
        request: Its record, or None if there is none.
        verdicts: What providers say of it.
        components: The registered pools.
        queue: All requests, to tell its position; None: leave that out.
        unheard: Of whom nothing is written, what can be said in their place.
        broken: Why its record could not be read at all, or None.
        now_s: Wall clock, seconds since the epoch.
    """
    found = _in_order(verdicts)
    if request is None:
        return Explanation(request_id=request_id, state=None, verdicts=found, broken=broken)
    offered = set(tree.offered_labels(tuple(components.values())))
    position, length = (None, None) if queue is None else position_of(request, queue)
    etas = [max(0.0, one.at_s + one.eta_s - now_s) for one in found if one.eta_s is not None]
    return Explanation(
        request_id=request_id,
        state=request.state,
        labels=request.labels,
        verdicts=found,
        unheard=tuple(unheard),
        missing_labels=tuple(sorted(filter(_offered_by_pools, set(request.labels) - offered))),
        pools=len(components),
        position=position,
        queue_length=length,
        eta_s=min(etas, default=None),
        waited_s=max(0.0, now_s - request.created_s) if request.created_s else None,
        broken=request.unfit,
    )


def read_verdicts(store: Store, request_id: RequestId) -> tuple[Verdict, ...]:
    """Return what each provider says of a request; those that say nothing are left out.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    providers = tuple(ProviderName(name) for name in store.children(tree.VERDICTS))
    found = store.read_many([paths.verdict(name, request_id) for name in providers])
    verdicts = []
    for name, stored in zip(providers, found, strict=True):
        if stored is None:
            continue
        try:
            verdicts.append(decode_verdict(name, stored.value))
        except CorruptRecordError:
            continue  # a provider of another version; its word is missing, no more
    return tuple(verdicts)


def explain(
    store: Store, request_id: RequestId, *, now_s: float, with_position: bool = True
) -> Explanation:
    """Read all there is to say about one request.

    Args:
        store: Where to look.
        request_id: The request in question.
        now_s: Wall clock, seconds since the epoch.
        with_position: Read all requests, to tell its place in the queue, and what can be said of
            providers that say nothing themselves.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    verdicts = read_verdicts(store, request_id)
    read = tree.reader(store)
    components = tree.pools(read).records
    if with_position:
        level = tree.requests(read)
        found = level.records.get(request_id)
        return compose(
            request_id,
            found,
            verdicts,
            components=components,
            queue=level.records.values(),
            unheard=() if found is None else _unheard(read, found, verdicts, components),
            broken=level.corrupt.get(request_id),
            now_s=now_s,
        )
    stored = store.read(paths.request(request_id))
    request, broken = None, None
    if stored is not None and stored.value:
        try:
            request = request_record.decode(request_id, stored.value)
        except CorruptRecordError as exc:
            broken = exc.why
    return compose(request_id, request, verdicts, components=components, broken=broken, now_s=now_s)


def _unheard(
    read: tree.Reader,
    request: Request,
    heard: Iterable[Verdict],
    components: Mapping[str, PoolComponent],
) -> tuple[Verdict, ...]:
    living = {name: level.records for name, level in tree.replicas(read).items()}
    return instead(
        request,
        heard,
        components=components.values(),
        statuses=tree.statuses(read).records,
        living=living,
    )
