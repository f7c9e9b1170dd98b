"""Everything at a glance: providers, labels, requests."""

from collections import Counter
from collections.abc import Mapping

from remuda.cli.output import Sheet, age, broken_notes, limit
from remuda.cli.views.images import alarm_notes
from remuda.cli.views.pools import labels_sheet
from remuda.cli.znode_names import shown_name
from remuda.images.words import BuilderWords, words_of
from remuda.insight import tree
from remuda.insight.tree import TreeReader
from remuda.model.node import Node, NodeState
from remuda.model.request import Request, RequestState
from remuda.model.status import ProviderStatus
from remuda.store import paths

_PROVIDERS = ("PROVIDER", "LAUNCHERS", "PRIO", "SERVERS", "READY", "IN USE", "HELD", "TROUBLE")
_WAITING = frozenset({RequestState.REQUESTED, RequestState.PENDING})


def status_sheets(read: TreeReader, *, now_s: float) -> tuple[Sheet, ...]:
    """Return the providers, the labels, the requests and what is wrong with images.

    Args:
        read: Where to read.
        now_s: Wall clock, seconds since the epoch.
    """
    statuses = tree.statuses(read)
    # A launcher lives as long as its znode is there, whatever that says.
    living = {
        name: len(one.records) + len(one.corrupt) for name, one in tree.replicas(read).items()
    }
    nodes, requests = tree.nodes(read), tree.requests(read)
    corrupt = {
        "status": statuses.corrupt,
        "node": nodes.corrupt,
        "request": requests.corrupt,
        "autohold": tree.autoholds(read(paths.AUTOHOLDS)).corrupt,
    }
    broken = {
        f"{kind} {shown_name(name)}": why
        for kind, level in corrupt.items()
        for name, why in level.items()
    }
    return (
        _providers(statuses.records, living, nodes.records),
        labels_sheet(statuses.records.values()),
        _requests(requests.records, now_s, broken),
        _images(words_of(read(paths.BUILDERS))),
    )


def _providers(
    statuses: Mapping[str, ProviderStatus], replicas: Mapping[str, int], nodes: Mapping[str, Node]
) -> Sheet:
    states: dict[str, Counter[NodeState]] = {}
    for node in nodes.values():
        states.setdefault(node.provider or "?", Counter())[node.state] += 1
    names = sorted({*statuses, *replicas, *states})
    rows, data = [], []
    for name in names:
        status, count = statuses.get(name), states.get(name, Counter())
        doc = _provider_json(name, status, replicas.get(name, 0), count)
        data.append(doc)
        rows.append(
            (
                name,
                str(doc["launchers"]),
                "-" if status is None else str(status.priority),
                _servers(status, count),
                str(count[NodeState.READY]),
                str(count[NodeState.IN_USE]),
                str(count[NodeState.HOLD]),
                str(doc["trouble"] or ""),
            )
        )
    notes = [] if rows else ["no providers: no launcher has ever run here"]
    return Sheet(columns=_PROVIDERS, rows=rows, data=data, notes=notes)


def _servers(status: ProviderStatus | None, count: Counter[NodeState]) -> str:
    if status is None:
        return str(count.total())
    maxima = [pool.instances_max for pool in status.pools.values()]
    known = [most for most in maxima if most is not None]
    whole = sum(known) if known and len(known) == len(maxima) else None
    return limit(sum(pool.instances for pool in status.pools.values()), whole)


def _provider_json(
    name: str, status: ProviderStatus | None, launchers: int, count: Counter[NodeState]
) -> dict[str, object]:
    trouble = None
    if status is not None:
        trouble = status.trouble or (
            f"configuration: {status.config_error}" if status.config_error else None
        )
        if trouble is None and status.sweep is not None:
            trouble = f"the sweep is stopped: {status.sweep}"
    if trouble is None and not launchers:
        trouble = "no launcher is running"
    return {
        "provider": name,
        "launchers": launchers,
        "priority": status and status.priority,
        "trouble": trouble,
        "sweep": status and status.sweep,
        "nodes": {str(state): number for state, number in sorted(count.items())},
        "quota_seen_at_s": status and status.quota_seen_s,
        "quota": None if status is None else {k: list(v) for k, v in status.quota.items()},
    }


def _requests(requests: Mapping[str, Request], now_s: float, broken: Mapping[str, str]) -> Sheet:
    count = Counter(str(one.state) for one in requests.values())
    born = [one.created_s or one.state_time_s for one in requests.values() if one.state in _WAITING]
    oldest_s = now_s - min(born) if born else None
    words = ", ".join(f"{number} {state}" for state, number in sorted(count.items()))
    note = f"requests: {words or 'none'}"
    if oldest_s is not None:
        note += f"; the oldest waits for {age(oldest_s)}"
    return Sheet(
        columns=(),
        rows=(),
        data={"states": dict(count), "oldest_wait_s": oldest_s},
        notes=[note, *broken_notes(broken)],
    )


def _images(words: BuilderWords) -> Sheet:
    """Return the alarms of images; as long as nothing is wrong, there is nothing to read."""
    return Sheet(
        columns=(),
        rows=(),
        data={"alarms": {image: list(texts) for image, texts in words.alarms.items()}},
        notes=alarm_notes(words),
    )
