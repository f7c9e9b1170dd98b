"""Requests as a table, in the order in which they are served."""

from collections import Counter
from collections.abc import Collection, Sequence

from remuda.cli.output import Sheet, age, broken_notes
from remuda.cli.znode_names import shown_name, shown_names
from remuda.insight import tree
from remuda.insight.explanation import service_order
from remuda.insight.tree import TreeReader
from remuda.model.job import Job, job_of_request
from remuda.model.request import Request

_COLUMNS = (
    "ID",
    "STATE",
    "LABELS",
    "REQUESTOR",
    "JOB",
    "PROVIDER",
    "PRIO",
    "AGE",
    "NODES",
    "DECLINED",
)


def requests_sheet(read: TreeReader, states: Collection[str], *, now_s: float) -> Sheet:
    """Return the requests in one of *states* (empty: all).

    Args:
        read: Where to read.
        states: Which to show.
        now_s: Wall clock, seconds since the epoch.
    """
    level = tree.requests(read)
    wanted = [one for one in level.records.values() if not states or str(one.state) in states]
    wanted.sort(key=service_order)
    unfit = {one.id: one.unfit for one in wanted if one.unfit is not None}
    notes = [*broken_notes(shown_names(unfit)), *broken_notes(shown_names(level.corrupt))]
    if not wanted and not notes:
        notes = ["no requests"]
    jobs = [job_of_request(one.doc) for one in wanted]  # once: there may be ten thousand
    return Sheet(
        columns=_COLUMNS,
        rows=[_row(one, job, now_s) for one, job in zip(wanted, jobs, strict=True)],
        data=[request_json(one, job) for one, job in zip(wanted, jobs, strict=True)],
        notes=notes,
    )


def labels_text(labels: Sequence[str]) -> str:
    """Return ``2 small, big`` for small, big, small."""
    counted = Counter(labels)
    return ", ".join(
        label if count == 1 else f"{count} {label}" for label, count in counted.items()
    )


def request_json(one: Request, job: Job | None) -> dict[str, object]:
    """Return a request, and the job that it is for, with the stable keys of docs/cli.md."""
    return {
        "id": one.id,
        "state": str(one.state),
        "unfit": one.unfit,
        "labels": list(one.labels),
        "nodes": list(one.nodes),
        "requestor": one.requestor,
        "job": job and job.as_json(),
        "provider": one.provider,
        "relative_priority": one.relative_priority,
        "reuse": one.reuse,
        "tenant": one.tenant,
        "declined_by": list(one.declined_by),
        "created_at_s": one.created_s or None,
        "changed_at_s": one.state_time_s or None,
    }


def _row(one: Request, job: Job | None, now_s: float) -> tuple[str, ...]:
    born_s = one.created_s or one.state_time_s
    return (
        shown_name(one.id),
        str(one.state),
        labels_text(one.labels) or "?",
        one.requestor or "-",
        "-" if job is None else job.text,
        one.provider or "any",
        one.priority if not one.relative_priority else f"{one.priority}+{one.relative_priority}",
        age(now_s - born_s) if born_s else "-",
        ", ".join(one.nodes) or "-",
        str(len(one.declined_by)) if one.declined_by else "-",
    )
