"""A request that nobody could serve, kept for a while: its requestor deletes it at once.

The record lies in ``/remuda/failed-requests``, written by the launcher whose decline failed the
request, in the same transaction. What the providers before it said stands in the request itself.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.model import codec
from remuda.model.fields import LABELS_MAX, LINE_CHARS_MAX, NAME_CHARS_MAX, Fields, is_text, safe
from remuda.model.ids import ProviderName, RequestId
from remuda.model.job import Job, find_job, job_of_request
from remuda.model.request import Request

SCHEMA: Final = 1
#: Our own key in a request: why each provider that has declined it did.
REASONS_KEY: Final = "remuda_reasons"
#: More providers than this decline without a reason; so long may each be.
REASONS_MAX: Final = 32
REASON_CHARS_MAX: Final = 500
#: So many records are kept, and so long.
KEPT_MAX: Final = 500
KEPT_S: Final = 24 * 3600.0
#: Kinds of labels that are kept of a request.
_LABELS_MAX: Final = 32
#: Digits that ZooKeeper appends, and what stands before them.
_DIGITS, _DOT = 10, "."


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest:
    """One request that failed.

    Attributes:
        labels: How many machines of each label it asked for; of many kinds only the first.
        requestor, job: Who asked, and for which job, as far as the record said.
        created_s: When it was made, *at_s*: when it failed, seconds since the epoch.
        provider: Whose decline was the last.
        reasons: Why each provider declined, as far as it said.
    """

    request: RequestId
    at_s: float
    provider: ProviderName
    labels: Mapping[str, int]
    requestor: str | None = None
    job: Job | None = None
    created_s: float | None = None
    reasons: Mapping[ProviderName, str]

    @property
    def each_label(self) -> tuple[str, ...]:
        """The labels as in a request, with repeats."""
        return tuple(label for label, count in self.labels.items() for _ in range(count))


def with_reason(request: Request, provider: ProviderName, reason: str) -> Mapping[str, Any]:
    """Return the document of a request with what one provider says of it."""
    told = {**reasons_of(request), provider: _cut(reason)}
    return {**request.doc, REASONS_KEY: dict([*told.items()][-REASONS_MAX:])}


def reasons_of(request: Request) -> dict[ProviderName, str]:
    """Return why providers declined a request; anybody may write into it, so of any form."""
    return _reasons(request.doc.get(REASONS_KEY))


def failed(request: Request, provider: ProviderName, *, now_s: float) -> FailedRequest:
    """Return what is kept of a request that *provider* was the last to decline."""
    return FailedRequest(
        request=request.id,
        at_s=now_s,
        provider=provider,
        labels=dict([*Counter(request.labels).items()][:_LABELS_MAX]),
        requestor=request.requestor,
        job=job_of_request(request.doc),
        created_s=request.created_s,
        reasons=reasons_of(request),
    )


def stem(request_id: RequestId) -> str:
    """Return how the names of a request's records begin; ZooKeeper makes each unique.

    A request may seem to fail twice: a name that is taken must not keep it from failing.
    """
    return f"{request_id}{_DOT}"


def order(name: str) -> str:
    """Return by what the names of records are ordered in time."""
    return name[-_DIGITS:]


def encode_failed(one: FailedRequest) -> bytes:
    """Serialise what is kept of a failed request."""
    return codec.dump(
        {
            "schema": SCHEMA,
            "at_s": one.at_s,
            "provider": one.provider,
            "labels": dict(one.labels),
            "requestor": one.requestor,
            "job": one.job and one.job.as_doc(),
            "created_s": one.created_s,
            "reasons": dict(one.reasons),
        }
    )


def decode_failed(name: str, raw: bytes) -> FailedRequest:
    """Rebuild what is kept of a failed request; the pair of :func:`encode_failed`.

    Raises:
        CorruptRecordError: If it is none of a schema we know.
    """
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    labels = fields.mapping("labels", _LABELS_MAX)
    counts = Fields(f"{name}: labels", labels)
    return FailedRequest(
        request=RequestId(name[: -_DIGITS - len(_DOT)]),
        at_s=fields.number("at_s"),
        provider=ProviderName(fields.text("provider")),
        labels={label: counts.count(label, high=LABELS_MAX) for label in labels},
        requestor=fields.sloppy_text("requestor", LINE_CHARS_MAX),
        job=find_job(fields.doc.get("job")),
        created_s=fields.maybe_number("created_s"),
        reasons=_reasons(fields.doc.get("reasons")),
    )


def _reasons(value: object) -> dict[ProviderName, str]:
    told = [*value.items()][:REASONS_MAX] if isinstance(value, Mapping) else ()
    return {
        ProviderName(name): _cut(reason)
        for name, reason in told
        if is_text(name, NAME_CHARS_MAX) and isinstance(reason, str)
    }


def _cut(reason: str) -> str:
    return safe(reason, REASON_CHARS_MAX)
