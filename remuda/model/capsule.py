"""Capsules: everything that is known of one machine that failed, or that somebody asked about.

Of each failed launch one lies in ``/remuda/failures/<provider>/<node id>``; those of failed jobs
and of machines that were asked about lie in ``/remuda/capsules/<provider>/<node id>``, so that they
push no evidence of a launch out, by which builders judge images. What lies there holds the end of
each text; where the whole was stored besides, it says so (:class:`Kept`).

The *wish* for the capsule of a machine that lives is a key of the node's record, which requestors
may write. It authorises nothing: the launcher shows what it knows to those who may read that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import Fields
from remuda.model.job import Job, find_job
from remuda.model.node import Node

SCHEMA: Final = 1
#: Our own key in the record of a node: somebody wants its capsule.
WISH_KEY: Final = "remuda_capsule"
#: A wish that is older than this has nobody who waits for it.
WISH_S: Final = 300.0
#: Steps of a proof, instants of a boot, places: a dozen of each is many.
_STEPS_MAX: Final = 1000
_MOMENTS_MAX: Final = 100
_PLACES_MAX: Final = 8
_TRIES_MAX: Final = 1000
#: A record of ours is no larger, whatever its texts hold: less than what is read again.
BYTES_MAX: Final = codec.RECORD_BYTES_MAX * 3 // 4
#: Shorter texts are not cut further: then the longest go.
_TEXT_CHARS_MIN: Final = 256
#: The texts of a machine, by what each is called as a file of a capsule.
LOGS: Final[Mapping[str, str]] = {
    "cloud_init": "cloud-init.log",
    "cloud_init_output": "cloud-init-output.log",
    "journal": "journal.log",
}
#: The kinds of places for whole ones.
FOLDER: Final = "folder"
SWIFT: Final = "swift"
#: The result of a job that failed, and of a machine that was only asked about.
JOB_FAILED: Final = "job.failed"
ASKED: Final = "asked"


class CapsuleKind(StrEnum):
    """Of what a capsule tells."""

    LAUNCH = "launch"  # that failed
    JOB = "job"  # that failed, as its holder said
    ASKED = "asked"  # a machine that lives, or did


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a whole capsule lies, or why it does not lie there.

    Attributes:
        store: ``folder`` or ``swift``.
        place: For people: no secrets, nothing signed.
        size_bytes: As it is stored.
        why: Why it could not be stored; None: it is.
        tries: How often it was tried.
        region: Of the cloud, if it is not the one that clouds.yaml names.
    """

    store: str
    place: str
    size_bytes: int = 0
    why: str | None = None
    tries: int = 1
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One instant of a machine's way: planned, created, active, the steps of its proof, ended.

    Attributes:
        at_s: Seconds since the epoch.
        seconds: How long it took until then, if that was measured.
    """

    name: str
    at_s: float
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capsule:
    """Everything that is known of one machine.

    Attributes:
        result: Short machine word, e.g. ``error.ssh``: the same as in metrics.
        why: One sentence.
        fault: The cloud's own words, or None.
        console: End of the console log.
        transcript: The steps of the proof with what they printed.
        request: The request that it was made for, or that was charged for it; None: none.
        image: The build of an image of ours that it booted, or None.
        host: The hypervisor, as the cloud shows it to us, or None.
        configuration: Revision of the configuration under which this was written.
        requestor, job: Who had it and for what, as far as its record said.
        moments: The way of the machine, the oldest first.
        logs: By :data:`LOGS`, the ends of what the machine told once somebody was in.
        missing: Those of :data:`LOGS` of which it had nothing that could be read.
        untold: Why the machine tells nothing, if it was asked.
        kept: Where the whole lies.
        token: Of the wish that this answers, or None.
    """

    node: str
    label: str
    pool: str
    result: str
    why: str
    at_s: float
    kind: CapsuleKind = CapsuleKind.LAUNCH
    server: str | None = None
    fault: str | None = None
    console: str = ""
    transcript: tuple[Mapping[str, Any], ...] = ()
    request: str | None = None
    image: str | None = None
    host: str | None = None
    configuration: str | None = None
    requestor: str | None = None
    job: Job | None = None
    moments: tuple[Moment, ...] = ()
    logs: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    untold: str | None = None
    kept: tuple[Kept, ...] = ()
    token: str | None = None


#: Fields that need a form of their own.
_FORMED: Final = frozenset({"job", "moments", "kept", "logs", "transcript", "kind", "missing"})
_PLAIN: Final = tuple(one.name for one in fields(Capsule) if one.name not in _FORMED)
#: What records of before this did not have is left out where there is nothing to say.
_ALWAYS: Final = frozenset(
    ("node", "label", "pool", "result", "why", "at_s", "server", "fault", "console", "request")
)


def capsule_doc(capsule: Capsule) -> dict[str, Any]:
    """Return a capsule with the stable keys of docs/cli.md."""
    doc: dict[str, Any] = {"kind": str(capsule.kind)}
    for name in _PLAIN:
        value = getattr(capsule, name)
        if value is not None or name in _ALWAYS:
            doc[name] = value
    doc["image"] = capsule.image
    doc["transcript"] = [dict(one) for one in capsule.transcript]
    if capsule.job is not None:
        doc["job"] = capsule.job.as_doc()
    doc["moments"] = [_doc(one) for one in capsule.moments]
    doc["logs"] = dict(capsule.logs)
    if capsule.missing:
        doc["missing"] = list(capsule.missing)
    doc["kept"] = [_doc(one) for one in capsule.kept]
    return doc


def _doc(one: Moment | Kept) -> dict[str, Any]:
    named = ((part.name, getattr(one, part.name)) for part in fields(one))
    return {name: value for name, value in named if value is not None}


def encode_capsule(capsule: Capsule) -> bytes:
    """Serialise a capsule; its texts lose their begins until it fits."""
    chars = max((len(text) for text in _texts(capsule)), default=0)
    while True:
        data = codec.dump({"schema": SCHEMA, **capsule_doc(capsule)})
        if len(data) <= BYTES_MAX:
            return data
        if chars <= _TEXT_CHARS_MIN:  # then it is the number of its steps
            return codec.dump({"schema": SCHEMA, **capsule_doc(replace(capsule, transcript=()))})
        chars //= 2
        capsule = ends_of(capsule, chars)


def _texts(capsule: Capsule) -> Iterator[str]:
    yield capsule.console
    yield from capsule.logs.values()
    yield from (str(step.get("output", "")) for step in capsule.transcript)


def ends_of(capsule: Capsule, chars_max: int) -> Capsule:
    """Return it with no text longer than that: what came last says most."""
    steps = (
        {**one, "output": str(one.get("output", ""))[-chars_max:]} for one in capsule.transcript
    )
    return replace(
        capsule,
        console=capsule.console[-chars_max:],
        transcript=tuple(steps),
        logs={name: text[-chars_max:] for name, text in capsule.logs.items()},
    )


def decode_capsule(node: str, raw: bytes) -> Capsule:
    """Rebuild a capsule; the pair of :func:`encode_capsule`.

    Raises:
        CorruptRecordError: If it is none of a schema we know.
    """
    fields = Fields(node, codec.parse(node, raw))
    fields.check_schema(SCHEMA)
    kind = CapsuleKind.LAUNCH
    if fields.doc.get("kind") is not None:
        kind = fields.word("kind", CapsuleKind)
    return Capsule(
        kind=kind,
        node=fields.text("node"),
        label=fields.maybe_text("label") or "",
        pool=fields.maybe_text("pool") or "",
        result=fields.text("result"),
        why=fields.prose("why") or "",
        at_s=fields.number("at_s"),
        server=fields.maybe_text("server"),
        fault=fields.prose("fault"),
        console=fields.prose("console", codec.RECORD_BYTES_MAX) or "",
        transcript=tuple(_steps(fields)),
        request=fields.maybe_text("request"),
        image=fields.maybe_text("image"),
        host=fields.maybe_text("host"),
        configuration=fields.maybe_text("configuration"),
        requestor=fields.maybe_text("requestor"),
        job=find_job(fields.doc.get("job")),
        moments=tuple(_moments(fields)),
        logs=_logs(fields.part("logs")),
        missing=fields.texts("missing", len(LOGS)),
        untold=fields.prose("untold"),
        kept=tuple(_kept(fields)),
        token=fields.identifier("token"),
    )


def _steps(fields: Fields) -> Iterator[Mapping[str, Any]]:
    for one in fields.listed("transcript", _STEPS_MAX):
        yield {
            "step": one.prose("step") or "?",
            "name": one.prose("name") or "?",
            "seconds": one.number("seconds", 0.0),
            "ok": one.doc.get("ok") is True,
            "why": one.prose("why") or "",
            "output": one.prose("output", codec.RECORD_BYTES_MAX) or "",
        }


def _moments(fields: Fields) -> Iterator[Moment]:
    for one in fields.listed("moments", _MOMENTS_MAX):
        yield Moment(
            name=one.text("name"), at_s=one.number("at_s"), seconds=one.maybe_number("seconds")
        )


def _logs(part: Fields | None) -> Mapping[str, str]:
    if part is None:
        return {}
    told = ((name, part.prose(name, codec.RECORD_BYTES_MAX)) for name in LOGS)
    return {name: text for name, text in told if text}


def _kept(fields: Fields) -> Iterator[Kept]:
    for one in fields.listed("kept", _PLACES_MAX):
        yield Kept(
            store=one.text("store"),
            place=one.prose("place") or "",
            size_bytes=one.count("size_bytes", 0),
            why=one.prose("why"),
            tries=one.count("tries", 1, low=1, high=_TRIES_MAX),
            region=one.maybe_text("region"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CapsuleWish:
    """Somebody wants the capsule of a machine that lives.

    Attributes:
        token: No two wishes have the same.
        at_s: When, seconds since the epoch.
    """

    token: str
    at_s: float


def wish_fields(wish: CapsuleWish) -> dict[str, Any]:
    """Return what is set in the record of the node; the pair of :func:`wish_of`."""
    return {WISH_KEY: {"token": wish.token, "at_s": round(wish.at_s, 3)}}


def wish_of(node: Node) -> CapsuleWish | None:
    """Return what the record of a node wishes; None: nothing, or nothing that can be read."""
    if WISH_KEY not in node.doc:
        return None  # as of nearly all
    try:
        part = Fields(node.id, node.doc).part(WISH_KEY)
        token = None if part is None else part.identifier("token")
        if part is None or token is None:
            return None
        return CapsuleWish(token=token, at_s=part.number("at_s"))
    except CorruptRecordError:
        return None
