"""What a provider tells the others and the operator: its status, and its verdicts on requests."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStatus:
    """How a provider stands with one label, over all its pools.

    Attributes:
        ready: Free ready nodes (promised to nobody).
        coming: Nodes being made that are promised to nobody.
        room: How many more it could start now within its limits.
        boot_s: Expected time from intent to ready, seconds; None: never seen yet.
        broken: Why new launches are held back (breaker open, image missing), or None.
        failures: Launches that failed in a row.
    """

    ready: int = 0
    coming: int = 0
    room: int = 0
    boot_s: float | None = None
    broken: str | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """Limits and use of one pool; a limit of None means none.

    Attributes:
        instances: Machines we answer for in the pool (any state), and so on.
    """

    instances: int = 0
    instances_max: int | None = None
    cores: int = 0
    cores_max: int | None = None
    ram_mib: int = 0
    ram_mib_max: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """One provider as its launchers see it, in ``/remuda/statuses/<provider>``.

    Attributes:
        priority: Lower is preferred.
        trouble: Why the whole provider is out of service (cloud away, unauthorised), or None.
        quota: The account's use and limits, as ``resource: (used, limit or None)``: our own use
            as it is, others' and the limits as the cloud last told.
        quota_seen_s: When it last told, seconds since the epoch; None: unknown.
        sweep: Why servers without a record are not deleted (all of them), or None.
    """

    provider: str
    priority: int = 100
    trouble: str | None = None
    labels: Mapping[str, LabelStatus] = field(default_factory=dict)
    pools: Mapping[str, PoolStatus] = field(default_factory=dict)
    quota: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    quota_seen_s: float | None = None
    config_error: str | None = None
    sweep: str | None = None


def encode_status(status: ProviderStatus) -> bytes:
    """Serialise a status."""
    # One level at a time: asdict() copies every text on its way down, at every turn of a brain.
    doc = _shallow(status)
    for part in ("labels", "pools"):
        doc[part] = {name: _shallow(one) for name, one in doc[part].items()}
    return codec.dump({"schema": SCHEMA, **doc})


def _shallow(value: "ProviderStatus | LabelStatus | PoolStatus") -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(value)}


def decode_status(provider: str, raw: bytes) -> ProviderStatus:
    """Rebuild a status; the pair of :func:`encode_status`.

    Raises:
        CorruptRecordError: If it is none of a schema we know.
    """
    doc = codec.parse(provider, raw)
    try:
        return ProviderStatus(
            provider=provider,
            priority=int(doc["priority"]),
            trouble=doc["trouble"],
            labels={name: LabelStatus(**one) for name, one in doc["labels"].items()},
            pools={name: PoolStatus(**one) for name, one in doc["pools"].items()},
            quota={name: (one[0], one[1]) for name, one in doc["quota"].items()},
            quota_seen_s=doc.get("quota_seen_s"),
            config_error=doc["config_error"],
            sweep=doc.get("sweep"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise codec.CorruptRecordError(f"{provider}: {exc!r}") from exc


class Ruling(StrEnum):
    """What a provider does about a request at present."""

    SERVING = "serving"  # it has taken the request and makes its nodes
    WAITING = "waiting"  # it could, but not now
    YIELDING = "yielding"  # another provider is sooner or preferred
    DECLINED = "declined"  # it never will


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Why a request is not served yet, by one provider, with the number that decided it.

    Attributes:
        reason: One sentence for people, without a full stop.
        numbers: What decided, e.g. ``{"cores_used": 96, "cores_max": 96}``.
        eta_s: Seconds from *at_s* until its nodes are expected, or None if unknown.
        at_s: When this was found, seconds since the epoch.
    """

    provider: str
    ruling: Ruling
    reason: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    eta_s: float | None = None
    at_s: float = 0.0


def encode_verdict(verdict: Verdict) -> bytes:
    """Serialise a verdict."""
    return codec.dump({"schema": SCHEMA, **asdict(verdict)})


def decode_verdict(provider: str, raw: bytes) -> Verdict:
    """Rebuild a verdict; the pair of :func:`encode_verdict`.

    Raises:
        CorruptRecordError: If it is none of a schema we know.
    """
    doc = codec.parse(provider, raw)
    try:
        return Verdict(
            provider=provider,
            ruling=Ruling(doc["ruling"]),
            reason=str(doc["reason"]),
            numbers=dict(doc["numbers"]),
            eta_s=doc["eta_s"],
            at_s=float(doc["at_s"]),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise codec.CorruptRecordError(f"{provider}: {exc!r}") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureReport:
    """The evidence of a failed launch, in ``/remuda/failures/<provider>/<node id>``.

    Attributes:
        result: Short machine word, e.g. ``error.ssh``: the same as in metrics.
        why: One sentence.
        fault: The cloud's own words, or None.
        console: End of the console log.
        transcript: The steps of the proof with what they printed.
    """

    node: str
    label: str
    pool: str
    result: str
    why: str
    at_s: float
    server: str | None = None
    fault: str | None = None
    console: str = ""
    transcript: tuple[Mapping[str, Any], ...] = ()


def encode_failure(report: FailureReport) -> bytes:
    """Serialise a failure report."""
    return codec.dump({"schema": SCHEMA, **asdict(report)})


def decode_failure(node: str, raw: bytes) -> FailureReport:
    """Rebuild a failure report; the pair of :func:`encode_failure`.

    Raises:
        CorruptRecordError: If it is none of a schema we know.
    """
    doc = codec.parse(node, raw)
    try:
        doc.pop("schema")
        doc["transcript"] = tuple(doc.get("transcript", ()))
        return FailureReport(**doc)
    except (KeyError, TypeError) as exc:
        raise codec.CorruptRecordError(f"{node}: {exc!r}") from exc
