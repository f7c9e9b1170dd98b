"""The hold of a node: what its launcher makes of a wish, or of another program's hold.

It lies in the launch record, which only launchers write; what is wished lies in the node's record
(``remuda.model.holdwish``). ZooKeeper does not tell who wrote a wish: an owner is *unproven*.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from remuda.model.fields import KEY_CHARS_MAX, Fields, is_text, one_line, safe
from remuda.model.heldkey import HostKeyChange, change_doc, read_change
from remuda.model.holdwish import (
    FOR_S_MAX,
    KEYS_MAX,
    OWNER_CHARS_MAX,
    REASON_CHARS_MAX,
    line_of,
    token_of,
    without_none,
)

#: Longer rules and faults are cut.
WHY_CHARS_MAX: Final = 500
#: More answers than wishes stand in a record: those that were granted are never dropped.
EXTENDED_MAX: Final = 16
#: What is said of keys: those that are on the machine, which are never dropped, and a refusal for
#: each wish.
KEYS_SAID_MAX: Final = 2 * KEYS_MAX
#: So many of those who are logged in are named, so long.
LOGINS_MAX: Final = 16
LOGIN_CHARS_MAX: Final = 100
#: What an extension is called that nobody wished: somebody was logged in at the end.
BY_LOGIN: Final = "login"


class HoldSource(StrEnum):
    """By whose word a node is held."""

    ASKED = "asked"  # a wish of our commands or library
    AUTOHOLD = "autohold"  # the next failure was to be held
    ZUUL = "zuul"
    JENKINS = "jenkins"
    REQUESTOR = "requestor"  # any other writer of the shared format


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """What was made of a wish for more time.

    Attributes:
        by: Who wished it.
        ends_s: The end that came of it.
        refused: The rule that it breaks; None: it was granted.
    """

    token: str
    by: str
    at_s: float
    ends_s: float
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldKey:
    """What was made of a wish for a key.

    Attributes:
        fingerprint: ``SHA256:…``; empty if no key could be read.
        name: Of the developer, or the key's comment.
        account: Whose door it opens.
        refused: Why it is not on the machine; None: it is.
        certificate: The line of a certificate, if that was wished.
    """

    token: str
    fingerprint: str
    name: str
    account: str
    at_s: float
    refused: str | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold, from when it is granted until the node's records go.

    Attributes:
        for_s: So long it was granted, from when it begins.
        proven: Whether somebody has authenticated the owner.
        asked_token: Of the wish that it answers; None: nobody wished it of us.
        since_s: When it began; None: it is granted, and the job still has the machine.
        ends_s: When it ends, wall clock; None: it has not begun.
        latest_s: No extension leads beyond it; None: it has not begun, or there is no maximum.
        bounded: The rule by which it ends sooner than it was written; None: none.
        extended: What became of wishes for more time; one that is by nobody (`BY_LOGIN`) was
            given because somebody was logged in at the end.
        warned_s: When people on the machine were told of the end at *ends_s*.
        seen_s: Last look at the machine.
        logins: Who was logged in then.
        idle_since_s: Since when nobody was; None: somebody is, or nobody has looked.
        lost: What has become of its server, if that is gone or down.
        refused: The rule that a wish breaks: the node is not held. None: it is, or will be.
        autohold: Which one held it.
        host_key: How far the change of its host key has come; None: it has not begun.
    """

    owner: str
    reason: str
    source: HoldSource
    for_s: float
    job: str | None = None
    proven: bool = False
    asked_token: str | None = None
    since_s: float | None = None
    ends_s: float | None = None
    latest_s: float | None = None
    bounded: str | None = None
    extended: tuple[Extension, ...] = ()
    keys: tuple[HoldKey, ...] = ()
    warned_s: float | None = None
    seen_s: float | None = None
    logins: tuple[str, ...] = ()
    idle_since_s: float | None = None
    lost: str | None = None
    refused: str | None = None
    autohold: str | None = None
    host_key: HostKeyChange | None = None

    @property
    def begun(self) -> bool:
        """Whether the machine is held, or was: it is never held a second time."""
        return self.since_s is not None

    @property
    def granted(self) -> bool:
        """Whether the machine will be held once its job lets it go."""
        return self.refused is None and self.since_s is None


def hold_doc(hold: Hold) -> dict[str, Any]:
    """Return a hold as a part of a launch; the pair of :func:`read_hold`."""
    doc = {
        "owner": one_line(hold.owner, OWNER_CHARS_MAX),
        "reason": one_line(hold.reason, REASON_CHARS_MAX),
        "source": str(hold.source),
        "for_s": hold.for_s,
        "job": None if hold.job is None else one_line(hold.job, OWNER_CHARS_MAX),
        "proven": hold.proven,
        "asked_token": hold.asked_token,
        "since_s": hold.since_s,
        "ends_s": hold.ends_s,
        "latest_s": hold.latest_s,
        "bounded": _why(hold.bounded),
        "extended": [_extension_doc(one) for one in hold.extended[-EXTENDED_MAX:]] or None,
        "keys": [_key_doc(one) for one in hold.keys[-KEYS_SAID_MAX:]] or None,
        "warned_s": hold.warned_s,
        "seen_s": hold.seen_s,
        "logins": [one_line(one, LOGIN_CHARS_MAX) for one in hold.logins[:LOGINS_MAX]] or None,
        "idle_since_s": hold.idle_since_s,
        "lost": _why(hold.lost),
        "refused": _why(hold.refused),
        "autohold": hold.autohold,
        "host_key": None if hold.host_key is None else change_doc(hold.host_key),
    }
    return without_none(doc)


def read_hold(fields: Fields, key: str) -> Hold | None:
    """Return the hold in a field of a launch, or None if there is none.

    Raises:
        CorruptRecordError: If what is there is none.
    """
    part = fields.part(key)
    if part is None:
        return None
    since_s, ends_s = part.maybe_number("since_s"), part.maybe_number("ends_s")
    if (since_s is None) != (ends_s is None):
        # One that has begun without an end would be held for ever.
        raise part.refuse("ends_s", "the end of a hold that has begun, and of no other")
    proven = part.doc.get("proven", False)
    if not isinstance(proven, bool):
        raise part.refuse("proven", "true or false")
    return Hold(
        owner=line_of(part, "owner", OWNER_CHARS_MAX),
        reason=line_of(part, "reason", REASON_CHARS_MAX),
        source=part.word("source", HoldSource),
        for_s=part.number("for_s", high=FOR_S_MAX),
        job=line_of(part, "job", OWNER_CHARS_MAX) or None,
        proven=proven,
        asked_token=part.identifier("asked_token"),
        since_s=since_s,
        ends_s=ends_s,
        latest_s=part.maybe_number("latest_s"),
        bounded=part.prose("bounded", WHY_CHARS_MAX),
        extended=tuple(_read_extension(one) for one in part.listed("extended", EXTENDED_MAX)),
        keys=tuple(_read_key(one) for one in part.listed("keys", KEYS_SAID_MAX)),
        warned_s=part.maybe_number("warned_s"),
        seen_s=part.maybe_number("seen_s"),
        logins=part.texts("logins", LOGINS_MAX, LOGIN_CHARS_MAX),
        idle_since_s=part.maybe_number("idle_since_s"),
        lost=part.prose("lost", WHY_CHARS_MAX),
        refused=part.prose("refused", WHY_CHARS_MAX),
        autohold=part.identifier("autohold"),
        host_key=read_change(part, "host_key"),
    )


def _why(text: str | None) -> str | None:
    return None if text is None else safe(text, WHY_CHARS_MAX)


def _extension_doc(one: Extension) -> dict[str, Any]:
    doc = {
        "token": one.token,
        "by": one_line(one.by, OWNER_CHARS_MAX),
        "at_s": round(one.at_s, 3),
        "ends_s": round(one.ends_s, 3),
        "refused": _why(one.refused),
    }
    return without_none(doc)


def _read_extension(part: Fields) -> Extension:
    return Extension(
        token=token_of(part),
        by=line_of(part, "by", OWNER_CHARS_MAX),
        at_s=part.number("at_s"),
        ends_s=part.number("ends_s"),
        refused=part.prose("refused", WHY_CHARS_MAX),
    )


def _key_doc(one: HoldKey) -> dict[str, Any]:
    doc = {
        "token": one.token,
        "fingerprint": one.fingerprint,
        "name": one_line(one.name, OWNER_CHARS_MAX),
        "account": one_line(one.account, OWNER_CHARS_MAX),
        "at_s": round(one.at_s, 3),
        "refused": _why(one.refused),
        "certificate": one.certificate,
    }
    return without_none(doc)


def _read_key(part: Fields) -> HoldKey:
    fingerprint = part.maybe_text("fingerprint") or ""
    if not is_text(fingerprint, LOGIN_CHARS_MAX):
        raise part.refuse("fingerprint", "a fingerprint")
    return HoldKey(
        token=token_of(part),
        fingerprint=fingerprint,
        name=line_of(part, "name", OWNER_CHARS_MAX),
        account=line_of(part, "account", OWNER_CHARS_MAX),
        at_s=part.number("at_s"),
        refused=part.prose("refused", WHY_CHARS_MAX),
        certificate=part.maybe_text("certificate", KEY_CHARS_MAX) or None,
    )
