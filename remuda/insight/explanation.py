"""Why a request waits: every provider's verdict, its place in the queue, and when it may end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.insight import tree
from remuda.insight.unheard import instead
from remuda.model import failedrequest
from remuda.model import request as request_record
from remuda.model.codec import CorruptRecordError
from remuda.model.component import PoolComponent
from remuda.model.failedrequest import FailedRequest
from remuda.model.ids import ProviderName, RequestId
from remuda.model.imageask import labelled_image
from remuda.model.job import Job, job_of_request
from remuda.model.request import Request, RequestState
from remuda.model.status import Ruling, Verdict, decode_verdict
from remuda.store import paths
from remuda.store.api import Store, Stored

#: The most hopeful ruling first: what a person wants to read first.
_HOPE: Final = (Ruling.SERVING, Ruling.WAITING, Ruling.YIELDING, Ruling.DECLINED)
#: Records of one failed request; there is one, unless somebody has made up others.
_TRIED_MAX: Final = 16
_OPEN: Final = frozenset({RequestState.REQUESTED, RequestState.PENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of one request.

    Attributes:
        state: Its state, or None if there is no such request (any more).
        requestor, job: Who asked, and for which job, as far as the record says.
        verdicts: One per provider that has looked at it, the most hopeful first.
        unheard: One per other provider that is known, without a time: what its public records tell.
        missing_labels: Labels that no registered pool can make.
        pools: How many pools are registered; 0: no launcher is there at all.
        position: Its place among the waiting requests, from 1; None: not asked, or not waiting.
        queue_length: How many requests wait, with it; None: not asked.
        eta_s: Seconds until its nodes are expected, or None if nobody knows.
        waited_s: Seconds since it was made, or None if the record does not say.
        broken: Why its record cannot be read or served, or None.
        ended_at_s: When it failed, seconds since the epoch; None: it has not, as far as is known.
        gone: Its record is deleted; what is told was kept when it failed.
    """

    request_id: RequestId
    state: RequestState | None
    labels: tuple[str, ...] = ()
    requestor: str | None = None
    job: Job | None = None
    verdicts: tuple[Verdict, ...] = ()
    unheard: tuple[Verdict, ...] = ()
    missing_labels: tuple[str, ...] = ()
    pools: int = 0
    position: int | None = None
    queue_length: int | None = None
    eta_s: float | None = None
    waited_s: float | None = None
    broken: str | None = None
    ended_at_s: float | None = None
    gone: bool = False

    @property
    def everybody(self) -> tuple[Verdict, ...]:
        """A verdict for each known provider, the most hopeful first."""
        return _in_order((*self.verdicts, *self.unheard))

    @property
    def sentence(self) -> str:
        """Everything that matters in one sentence, without a full stop."""
        if self.verdicts and self.state is not None:
            # What launchers said before they went matters less than that they are gone.
            nobody = ["no launcher is running"] if self.pools == 0 and self.waits else []
            return "; ".join([*nobody, *(f"{one.provider} {_words(one)}" for one in self.verdicts)])
        if self.broken is not None:
            return f"its record cannot be served: {self.broken}"
        if self.state is None:
            return "there is no such request"
        if self.state is RequestState.FAILED:
            return "every provider declined it"
        return self._unseen

    @property
    def waits(self) -> bool:
        """Whether it waits for nodes."""
        return self.state in _OPEN

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
            "requestor": self.requestor,
            "job": self.job and self.job.as_json(),
            "position": self.position,
            "queue_length": self.queue_length,
            "eta_s": self.eta_s,
            "waited_s": self.waited_s,
            "broken": self.broken,
            "ended_at_s": self.ended_at_s,
            "gone": self.gone,
            "missing_labels": list(self.missing_labels),
            "pools": self.pools,
            "verdicts": [
                {
                    "provider": one.provider,
                    "ruling": str(one.ruling),
                    "reason": one.reason,
                    "numbers": dict(one.numbers),
                    "eta_s": one.eta_s,
                    "at_s": one.at_s or None,
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


def expected_in_s(verdict: Verdict, now_s: float) -> float | None:
    """Return in how many seconds nodes are expected, or None: nobody knows, or it took longer."""
    left_s = None if verdict.eta_s is None else verdict.at_s + verdict.eta_s - now_s
    return None if left_s is None or left_s < 0.0 else left_s


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
    # A time that is over says nothing: nobody knows how much longer it takes.
    etas = [left_s for one in found if (left_s := expected_in_s(one, now_s)) is not None]
    return Explanation(
        request_id=request_id,
        state=request.state,
        labels=request.labels,
        requestor=request.requestor,
        job=job_of_request(request.doc),
        verdicts=found,
        unheard=tuple(unheard),
        missing_labels=tuple(sorted(filter(_offered_by_pools, set(request.labels) - offered))),
        pools=len(components),
        position=position,
        queue_length=length,
        eta_s=min(etas, default=None),
        waited_s=max(0.0, now_s - request.created_s) if request.created_s else None,
        broken=request.unfit,
        ended_at_s=request.state_time_s or None if request.state is RequestState.FAILED else None,
    )


def compose_failed(kept: FailedRequest, verdicts: Iterable[Verdict] = ()) -> Explanation:
    """Put together what is known of a request that failed and was deleted. Pure.

    Args:
        kept: What was kept of it.
        verdicts: Those that are still there: they have numbers.
    """
    told = {
        name: Verdict(provider=name, ruling=Ruling.DECLINED, reason=reason, at_s=kept.at_s)
        for name, reason in kept.reasons.items()
    }
    told |= {ProviderName(one.provider): one for one in verdicts if one.ruling is Ruling.DECLINED}
    return Explanation(
        request_id=kept.request,
        state=RequestState.FAILED,
        labels=kept.each_label,
        requestor=kept.requestor,
        job=kept.job,
        verdicts=tuple(told[name] for name in sorted(told)),
        ended_at_s=kept.at_s,
        gone=True,
    )


def read_failed(store: Store, request_id: RequestId) -> FailedRequest | None:
    """Return what is kept of a request that failed, or None.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    begins = failedrequest.stem(request_id)
    names = [one for one in store.children(paths.FAILED_REQUESTS) if one.startswith(begins)]
    names.sort(key=failedrequest.order, reverse=True)
    found = store.read_each([f"{paths.FAILED_REQUESTS}/{name}" for name in names[:_TRIED_MAX]])
    for name, stored in zip(names, found, strict=False):
        try:
            if isinstance(stored, Stored):
                return failedrequest.decode_failed(name, stored.value)
        except CorruptRecordError:
            continue  # of another version, or another hand
    return None


def read_verdicts(store: Store, request_id: RequestId) -> tuple[Verdict, ...]:
    """Return what each provider says of a request; those that say nothing are left out.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    providers = tuple(ProviderName(name) for name in store.children(tree.VERDICTS))
    found = store.read_each([paths.verdict(name, request_id) for name in providers])
    verdicts = []
    for name, stored in zip(providers, found, strict=True):
        if not isinstance(stored, Stored):
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
    found = _explain(store, request_id, verdicts, now_s=now_s, with_position=with_position)
    if found.state is None and found.broken is None:
        kept = read_failed(store, request_id)
        if kept is not None:
            return compose_failed(kept, verdicts)
    return found


def _explain(
    store: Store,
    request_id: RequestId,
    verdicts: Iterable[Verdict],
    *,
    now_s: float,
    with_position: bool,
) -> Explanation:
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
    read: tree.TreeReader,
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
