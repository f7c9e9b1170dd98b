"""Requests that failed and were deleted, as a table and one by one."""

from collections.abc import Iterable, Sequence

from remuda.cli.output import Sheet, age
from remuda.cli.views.requests import labels_text
from remuda.insight.tree import Level
from remuda.model.failedrequest import FailedRequest
from remuda.model.job import whose
from remuda.redaction import redact_text
from remuda.visible import visible

_COLUMNS = ("REQUEST", "LABELS", "WHOSE", "WHEN", "WHY")


def chosen_requests(
    level: Level[FailedRequest],
    *,
    which: str | None,
    providers: Sequence[str],
    labels: Sequence[str],
) -> list[FailedRequest]:
    """Return the wanted ones, the newest first; empty and None: all."""
    found = [
        one
        for one in level.records.values()
        if which in (None, one.request)
        and (not providers or not {one.provider, *one.reasons}.isdisjoint(providers))
        and (not labels or not set(one.labels).isdisjoint(labels))
    ]
    return sorted(found, key=lambda one: -one.at_s)


def request_json(one: FailedRequest) -> dict[str, object]:
    """Return a failed request with the stable keys of docs/cli.md."""
    return {
        "request": one.request,
        "at_s": one.at_s or None,
        "provider": one.provider,
        "labels": dict(one.labels),
        "requestor": one.requestor,
        "job": one.job and one.job.as_json(),
        "created_at_s": one.created_s,
        "reasons": dict(one.reasons),
    }


def requests_sheet(found: Iterable[FailedRequest], now_s: float) -> Sheet:
    """Return failed requests as a table."""
    rows = [
        (
            one.request,
            labels_text(one.each_label) or "?",
            whose(one.requestor, one.job) or "-",
            f"{age(now_s - one.at_s)} ago",
            redact_text("; ".join(f"{name}: {why}" for name, why in one.reasons.items())) or "-",
        )
        for one in found
    ]
    return Sheet(columns=_COLUMNS, rows=rows, data=None, title="requests")


def request_evidence(one: FailedRequest, now_s: float) -> str:
    """Return all that is known of one, in lines."""
    asked = whose(one.requestor, one.job)
    by = f" of {asked}," if asked else ""
    what = labels_text(one.each_label) or "?"
    lines = [f"request {one.request} ({what}){by} failed {age(now_s - one.at_s)} ago"]
    lines += [f"{name} declined: {why}" for name, why in one.reasons.items()]
    return "\n".join(map(visible, lines))
