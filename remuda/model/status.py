"""What a provider tells the others and the operator: its status, and its verdicts on requests."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.fields import COUNT_MAX, NAME_CHARS_MAX, Fields, safe

SCHEMA: Final = 1
#: Numbers of a verdict: a dozen is many.
_NUMBERS_MAX: Final = 64


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
        kept: Whether any are kept ready: not as long as an image that is made on first use is not
            there, though requests are served.
    """

    ready: int = 0
    coming: int = 0
    room: int = 0
    boot_s: float | None = None
    broken: str | None = None
    failures: int = 0
    kept: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """Limits and use of one pool; a limit of None means none.

    Attributes:
        instances: Machines we answer for in the pool (any state), and so on.
        labels: How it stands with labels that other pools of its provider make as well: all nodes
            of a request come from one pool. Of the others, the provider's standing says it all.
    """

    instances: int = 0
    instances_max: int | None = None
    cores: int = 0
    cores_max: int | None = None
    ram_mib: int = 0
    ram_mib_max: int | None = None
    labels: Mapping[str, LabelStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """One provider as its launchers see it, in ``/remuda/statuses/<provider>``.

    Attributes:
        priority: Lower is preferred.
        trouble: Why the whole provider is out of service (cloud away, unauthorised), or None.
        quota: The account's use and limits, as ``resource: (used, limit or None)``: our own use
            as it is, others' and the limits as the cloud last told.
        quota_seen_s: When it last told, seconds since the epoch; None: unknown.
        max_hold_age_s: No node is held for longer, whatever its record says; None: for ever.
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
    max_hold_age_s: float | None = None

    def standing(self, pool: str, label: str) -> LabelStatus:
        """Return how one pool of the provider stands with a label."""
        in_pool = self.pools[pool].labels.get(label) if pool in self.pools else None
        return in_pool or self.labels.get(label, LabelStatus())


def encode_status(status: ProviderStatus) -> bytes:
    """Serialise a status."""
    # One level at a time: asdict() copies every text on its way down, at every turn of a brain.
    doc = _shallow(status)
    for part in ("labels", "pools"):
        doc[part] = {name: _shallow(one) for name, one in doc[part].items()}
    for pool in doc["pools"].values():
        pool["labels"] = {name: _shallow(one) for name, one in pool["labels"].items()}
    return codec.dump({"schema": SCHEMA, **doc})


def _shallow(value: "ProviderStatus | LabelStatus | PoolStatus") -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(value)}


def decode_status(provider: str, raw: bytes) -> ProviderStatus:
    """Rebuild a status; the pair of :func:`encode_status`.

    Raises:
        CorruptRecordError: If it is none of a schema we know.
    """
    fields = Fields(provider, codec.parse(provider, raw))
    fields.check_schema(SCHEMA)
    return ProviderStatus(
        provider=provider,
        priority=fields.rank("priority"),
        trouble=fields.prose("trouble"),
        labels={name: _label(one) for name, one in fields.parts("labels")},
        pools={name: _pool(one) for name, one in fields.parts("pools")},
        quota={name: _quota(fields, one) for name, one in fields.mapping("quota").items()},
        quota_seen_s=fields.maybe_number("quota_seen_s"),
        config_error=fields.prose("config_error"),
        sweep=fields.prose("sweep"),
        max_hold_age_s=fields.maybe_number("max_hold_age_s"),
    )


def _label(fields: Fields) -> LabelStatus:
    return LabelStatus(
        ready=fields.count("ready", 0),
        coming=fields.count("coming", 0),
        room=fields.count("room", 0),
        boot_s=fields.maybe_number("boot_s"),
        broken=fields.prose("broken"),
        failures=fields.count("failures", 0),
        kept=fields.doc.get("kept") is not False,
    )


def _pool(fields: Fields) -> PoolStatus:
    return PoolStatus(
        instances=fields.count("instances", 0),
        instances_max=fields.maybe_count("instances_max"),
        cores=fields.count("cores", 0),
        cores_max=fields.maybe_count("cores_max"),
        ram_mib=fields.count("ram_mib", 0),
        ram_mib_max=fields.maybe_count("ram_mib_max"),
        labels={name: _label(one) for name, one in fields.parts("labels")},
    )


def _quota(fields: Fields, value: object) -> tuple[int, int | None]:
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - a pair
        raise fields.refuse("quota", "pairs of use and limit")
    one = Fields(f"{fields.name}: quota", dict(zip(("used", "limit"), value, strict=True)))
    limit = None if value[1] is None else one.count("limit", low=-COUNT_MAX)
    return one.count("used", low=-COUNT_MAX), limit


class Ruling(StrEnum):
    """What a provider does about a request at present."""

    SERVING = "serving"  # it has taken the request and makes its nodes
    WAITING = "waiting"  # it could, but not now
    YIELDING = "yielding"  # another provider is sooner or preferred
    DECLINED = "declined"  # it never will


#: Among a verdict's numbers: the image of ours for a usable build of which the request waits.
IMAGE_NUMBER: Final = "image"


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
    fields = Fields(provider, codec.parse(provider, raw))
    fields.check_schema(SCHEMA)
    return Verdict(
        provider=provider,
        ruling=fields.word("ruling", Ruling),
        reason=fields.prose("reason") or "",
        numbers={
            name: _plain(one) for name, one in fields.mapping("numbers", _NUMBERS_MAX).items()
        },
        eta_s=fields.maybe_number("eta_s"),
        at_s=fields.number("at_s"),
    )


def _plain(value: object) -> object:
    """Return what a verdict's number may be; of anything else, what it is."""
    if isinstance(value, str):
        return safe(value, NAME_CHARS_MAX)
    if value is None or isinstance(value, bool | float):
        return value
    small = isinstance(value, int) and abs(value) <= COUNT_MAX
    return value if small else codec.quote(value)
