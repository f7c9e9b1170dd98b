"""Providers that have said nothing of a request: what their public records tell instead."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from remuda.model.component import PoolComponent
from remuda.model.imageask import labelled_image
from remuda.model.request import Request, RequestState
from remuda.model.status import ProviderStatus, Ruling, Verdict

_OPEN = frozenset({RequestState.REQUESTED, RequestState.PENDING})


def instead(
    request: Request,
    heard: Iterable[Verdict],
    *,
    components: Iterable[PoolComponent],
    statuses: Mapping[str, ProviderStatus],
    living: Mapping[str, Collection[object]],
) -> tuple[Verdict, ...]:
    """Return a verdict for each known provider that has written none. Pure.

    Args:
        request: Only open ones are waited for; of the others nothing is said.
        heard: The verdicts that were written.
        components: The registered pools.
        statuses: What each provider last told, living or not.
        living: The living launchers of each provider that has ever run.
    """
    if request.state not in _OPEN:
        return ()
    said = {one.provider for one in heard}
    pools: dict[str, list[PoolComponent]] = {}
    for pool in components:
        pools.setdefault(pool.provider, []).append(pool)
    silent = ({*pools, *statuses, *living} - said) - {""}
    return tuple(
        _verdict(name, request, pools.get(name, ()), statuses.get(name), bool(living.get(name)))
        for name in sorted(silent)
    )


def _verdict(
    provider: str,
    request: Request,
    pools: Collection[PoolComponent],
    status: ProviderStatus | None,
    alive: bool,  # noqa: FBT001 - private
) -> Verdict:
    ruling, reason = next(_findings(request, pools, status, alive=alive))
    return Verdict(provider=provider, ruling=ruling, reason=reason)


def _findings(
    request: Request,
    pools: Collection[PoolComponent],
    status: ProviderStatus | None,
    *,
    alive: bool,
) -> Iterator[tuple[Ruling, str]]:
    """Yield what can be said, the most weighty first."""
    if not pools and not alive:
        yield Ruling.WAITING, "no launcher of it is running"
    able = [pool for pool in pools if set(request.labels) <= set(pool.labels)]
    # Of machines that builders ask for, pools tell nobody.
    if not able and not any(labelled_image(label) for label in request.labels):
        yield Ruling.DECLINED, "no pool of it makes all of its labels"
    if able and all(pool.id in request.declined_by for pool in able):
        yield Ruling.DECLINED, "it has declined"
    if able and all(pool.paused for pool in able):
        yield Ruling.WAITING, "its pools are paused"
    if status is not None and alive:
        yield from _troubles(request, status)
    yield Ruling.YIELDING, "it has said nothing of it yet"


def _troubles(request: Request, status: ProviderStatus) -> Iterator[tuple[Ruling, str]]:
    if status.trouble is not None:
        yield Ruling.WAITING, f"its cloud is out of service: {status.trouble}"
    for label in sorted(set(request.labels)):
        broken = status.labels[label].broken if label in status.labels else None
        if broken is not None:
            yield Ruling.WAITING, f"{label} cannot be made: {broken}"
