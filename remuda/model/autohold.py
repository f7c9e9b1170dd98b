"""Autoholds: the next failures of some jobs leave their machines, in ``/remuda/autoholds/<id>``.

Whoever may ask for nodes may write one. Launchers fire it, and count it down in the transaction
that holds the node; it ends by count or date. It authorises nothing: a hold that it asks for is
judged by the limits of the configuration, like any other.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from remuda.model import codec
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import IDENTIFIER, NAME_CHARS_MAX, Fields, one_line
from remuda.model.holdwish import (
    FOR_S_MAX,
    KEYS_MAX,
    LINE_OF_KEY_MAX,
    OWNER_CHARS_MAX,
    REASON_CHARS_MAX,
    line_of,
    without_none,
)
from remuda.model.ids import NodeId

SCHEMA: Final = 1
#: Whoever may ask for nodes may write autoholds: launchers look at no more than so many.
AUTOHOLDS_MAX: Final = 1000
#: More machines than this are not left by one wish.
COUNT_MAX: Final = 50
#: Its znode's name goes into the records of the machines that it leaves, and a wish for a key is
#: called by it and a number.
ID_CHARS_MAX: Final = 200
#: Longer patterns are refused: names of labels, requestors and jobs are shorter.
PATTERN_CHARS_MAX: Final = 200
#: fnmatch makes a regular expression of a pattern, and what stands between many stars is tried
#: in many ways.
STARS_MAX: Final = 8
PATTERNS: Final = ("label", "requestor", "job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One machine that was left.

    Attributes:
        at_s: When it was, seconds since the epoch.
    """

    node: NodeId
    provider: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Autohold:
    """A wish that the next failures leave their machines.

    Attributes:
        label, requestor, job: Patterns in the style of shells; all that are there must match.
        count: So many machines.
        fired: Those that were left.
        for_s: So long each of them is kept.
        until_s: Nothing is held after this, seconds since the epoch.
        keys: Names of developers, or lines of public keys, for each of them.
    """

    id: str
    owner: str
    reason: str
    count: int
    for_s: float
    made_s: float
    until_s: float
    label: str | None = None
    requestor: str | None = None
    job: str | None = None
    fired: tuple[Fired, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many machines it still leaves."""
        return max(0, self.count - len(self.fired))

    def waits(self, now_s: float) -> bool:
        """Whether it may still fire."""
        return self.left > 0 and now_s < self.until_s

    def matches(self, *, label: str, requestor: str, jobs: tuple[str, ...]) -> bool:
        """Whether a failure is one that it waits for."""
        return (
            _means(self.label, (label,))
            and _means(self.requestor, (requestor,))
            and _means(self.job, jobs)
        )

    @property
    def said(self) -> str:
        """What it waits for, for people."""
        told = (f"{name} {value}" for name in PATTERNS if (value := getattr(self, name)))
        return ", ".join(told)


def _means(pattern: str | None, names: tuple[str, ...]) -> bool:
    return pattern is None or any(fnmatchcase(name, pattern) for name in names if name)


def pattern_fault(pattern: str) -> str | None:
    """Return what is wrong with a pattern, or None."""
    if not pattern or len(pattern) > PATTERN_CHARS_MAX:
        return f"a pattern has 1 to {PATTERN_CHARS_MAX} characters"
    if pattern.count("*") > STARS_MAX:
        return f"a pattern has at most {STARS_MAX} stars"
    return None if pattern.isprintable() else "a pattern is one line that can be printed"


def key_fault(key: str) -> str | None:
    """Return why something cannot be wished as a key, or None: a line, or a developer's name."""
    if not key.strip():
        return "a key is the name of a developer, or a line as in a .pub file"
    most = LINE_OF_KEY_MAX if " " in key else NAME_CHARS_MAX
    return f"a key like this has at most {most} characters" if len(key) > most else None


def encode_autohold(autohold: Autohold) -> bytes:
    """Serialise all but the id, which is the znode's name."""
    doc = {
        "schema": SCHEMA,
        "owner": one_line(autohold.owner, OWNER_CHARS_MAX),
        "reason": one_line(autohold.reason, REASON_CHARS_MAX),
        "label": autohold.label,
        "requestor": autohold.requestor,
        "job": autohold.job,
        "count": autohold.count,
        "for_s": autohold.for_s,
        "made_s": round(autohold.made_s, 3),
        "until_s": round(autohold.until_s, 3),
        "fired": [_fired_doc(one) for one in autohold.fired] or None,
        "keys": list(autohold.keys) or None,
    }
    return codec.dump(without_none(doc))


def decode_autohold(autohold_id: str, raw: bytes) -> Autohold:
    """Rebuild an autohold; the pair of :func:`encode_autohold`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"autohold {autohold_id}"
    if not IDENTIFIER.fullmatch(autohold_id) or len(autohold_id) > ID_CHARS_MAX:
        raise CorruptRecordError(name, "its own name is no id")
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    label, requestor, job = (_read_pattern(fields, key) for key in PATTERNS)
    if label is None and requestor is None and job is None:
        raise CorruptRecordError(name, "no pattern: it would hold every failure")
    return Autohold(
        id=autohold_id,
        owner=line_of(fields, "owner", OWNER_CHARS_MAX),
        reason=line_of(fields, "reason", REASON_CHARS_MAX),
        count=fields.count("count", low=1, high=COUNT_MAX),
        for_s=fields.number("for_s", low=1.0, high=FOR_S_MAX),
        made_s=fields.number("made_s"),
        until_s=fields.number("until_s"),
        label=label,
        requestor=requestor,
        job=job,
        fired=tuple(_read_fired(one) for one in fields.listed("fired", COUNT_MAX)),
        keys=_read_keys(fields),
    )


def _read_keys(fields: Fields) -> tuple[str, ...]:
    keys = fields.texts("keys", KEYS_MAX, LINE_OF_KEY_MAX)
    if any(key_fault(one) for one in keys):
        raise fields.refuse("keys", "names of developers, and lines of keys")
    return keys


def _read_pattern(fields: Fields, key: str) -> str | None:
    pattern = fields.maybe_text(key, PATTERN_CHARS_MAX)
    if pattern is not None and pattern_fault(pattern):
        raise fields.refuse(key, "a pattern")
    return pattern


def _fired_doc(one: Fired) -> dict[str, Any]:
    return {"node": one.node, "provider": one.provider, "at_s": round(one.at_s, 3)}


def _read_fired(part: Fields) -> Fired:
    node = part.identifier("node")
    if not node:
        raise part.refuse("node", "an id")
    return Fired(node=NodeId(node), provider=part.text("provider"), at_s=part.number("at_s"))
