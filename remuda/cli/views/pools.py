"""Pools and the labels they offer, as tables."""

from collections.abc import Iterable

from remuda.cli.output import Sheet, age, broken_notes, limit
from remuda.insight import tree
from remuda.insight.tree import TreeReader
from remuda.model.component import PoolComponent
from remuda.model.status import LabelStatus, PoolStatus, ProviderStatus

_POOLS = ("PROVIDER", "POOL", "STATE", "PRIO", "SERVERS", "CORES", "RAM MiB", "LABELS")
_LABELS = ("LABEL", "PROVIDER", "READY", "COMING", "ROOM", "BOOT", "TROUBLE")


def pools_sheets(read: TreeReader) -> tuple[Sheet, Sheet]:
    """Return the registered pools, and how each provider stands with each label."""
    pools = tree.pools(read)
    told = tree.statuses(read)
    statuses = told.records
    ordered = sorted(pools.records.values(), key=lambda one: (one.priority, one.provider, one.pool))
    rows, data = [], []
    for one in ordered:
        status = statuses.get(one.provider)
        use = status.pools.get(one.pool) if status else None
        rows.append(_pool_row(one, use))
        data.append(_pool_json(one, use))
    notes = broken_notes({**pools.corrupt, **told.corrupt})
    if not rows and not notes:
        notes = ["no pools: no launcher is running"]
    return (
        Sheet(columns=_POOLS, rows=rows, data=data, notes=notes),
        labels_sheet(statuses.values()),
    )


def labels_sheet(statuses: Iterable[ProviderStatus]) -> Sheet:
    """Return how each provider stands with each label."""
    pairs = sorted(
        (
            (label, status.provider, one)
            for status in statuses
            for label, one in status.labels.items()
        ),
        key=lambda pair: pair[:2],
    )
    return Sheet(
        columns=_LABELS,
        rows=[_label_row(label, provider, one) for label, provider, one in pairs],
        data=[
            {
                "label": label,
                "provider": provider,
                "ready": one.ready,
                "coming": one.coming,
                "room": one.room,
                "boot_s": one.boot_s,
                "broken": one.broken,
                "failures": one.failures,
            }
            for label, provider, one in pairs
        ],
    )


def _label_row(label: str, provider: str, one: LabelStatus) -> tuple[str, ...]:
    return (
        label,
        provider,
        str(one.ready),
        str(one.coming),
        str(one.room),
        age(one.boot_s),
        one.broken or (f"{one.failures} failed in a row" if one.failures else ""),
    )


def _pool_row(one: PoolComponent, use: PoolStatus | None) -> tuple[str, ...]:
    return (
        one.provider,
        one.pool,
        "paused" if one.paused else one.state,
        str(one.priority),
        "-" if use is None else limit(use.instances, use.instances_max),
        "-" if use is None else limit(use.cores, use.cores_max),
        "-" if use is None else limit(use.ram_mib, use.ram_mib_max),
        ", ".join(one.labels),
    )


def _pool_json(one: PoolComponent, use: PoolStatus | None) -> dict[str, object]:
    return {
        "provider": one.provider,
        "pool": one.pool,
        "state": one.state,
        "paused": one.paused,
        "priority": one.priority,
        "labels": list(one.labels),
        "hostname": one.hostname,
        "instances": use and use.instances,
        "instances_max": use and use.instances_max,
        "cores": use and use.cores,
        "cores_max": use and use.cores_max,
        "ram_mib": use and use.ram_mib,
        "ram_mib_max": use and use.ram_mib_max,
    }
