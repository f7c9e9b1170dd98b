"""What somebody wishes of a node: to be kept for a person, for longer, with keys, as an image.

It lies in the node's record, under a key of our own. Whoever may write a node's record may write
it, so that it authorises nothing: the node's launcher judges it, and what comes of it is the *hold*
in the launch record (``remuda.model.hold``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.model.codec import CorruptRecordError
from remuda.model.fields import LINE_CHARS_MAX, Fields, one_line
from remuda.model.node import Node

#: Our own key in the record of a node.
HOLD_KEY: Final = "remuda_hold"
#: Longer reasons, owners and jobs are cut.
REASON_CHARS_MAX: Final = 500
OWNER_CHARS_MAX: Final = 200
#: So many wishes of a kind stand in one record; the oldest go when there are more.
EXTENDS_MAX: Final = 8
KEYS_MAX: Final = 16
#: A public key of RSA with 16,384 bits has 2,800 characters.
LINE_OF_KEY_MAX: Final = 4096
#: Nobody keeps a machine for longer than a year.
FOR_S_MAX: Final = 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendWish:
    """A wish that a hold last longer.

    Attributes:
        token: No two wishes have the same.
        by: Who wishes it, as they say.
        for_s: By so much the end moves on; 0: as the configuration says.
        at_s: When it was wished, seconds since the epoch.
    """

    token: str
    by: str
    for_s: float
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyWish:
    """A wish that a person's key open a held machine.

    Attributes:
        line: The line of a public key; or None, and *developer* is the name of one whose key is
            in the configuration.
        account: Whose door it opens; None: the account of the machine's users.
        certify: A certificate for the key is wished, and not that the key itself open it.
    """

    token: str
    by: str
    at_s: float
    line: str | None = None
    developer: str | None = None
    account: str | None = None
    certify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotWish:
    """A wish that a held machine become an image that somebody takes home.

    Attributes:
        share_with: A project of the cloud that may boot it; None: none but ours.
        public: Whether everybody may.
        for_s: So long the image is kept.
    """

    token: str
    share_with: str | None
    public: bool
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWish:
    """What is wished of one node.

    Attributes:
        for_s: Keep it so long; 0: as the configuration says; None: it is not asked to be kept,
            only what is wished beside.
        contender: Name of the wisher's place in the node's lock, for a node that is in use.
    """

    token: str
    owner: str
    reason: str
    at_s: float
    for_s: float | None = None
    job: str | None = None
    contender: str | None = None
    extend: tuple[ExtendWish, ...] = ()
    keys: tuple[KeyWish, ...] = ()
    snapshot: SnapshotWish | None = None


def wish_fields(wish: HoldWish) -> dict[str, Any]:
    """Return what is set in the record of the node; the pair of :func:`wish_of`."""
    return {HOLD_KEY: wish_doc(wish)}


def wish_of(node: Node) -> HoldWish | None:
    """Return what is wished of a node; None: nothing, or nothing that can be read."""
    if HOLD_KEY not in node.doc:
        return None  # as of nearly all
    try:
        part = Fields(node.id, node.doc).part(HOLD_KEY)
        return None if part is None else read_wish(part)
    except CorruptRecordError:
        return None


def wish_doc(wish: HoldWish) -> dict[str, Any]:
    """Return a wish as a part of a record; the pair of :func:`read_wish`."""
    doc = {
        "token": wish.token,
        "owner": one_line(wish.owner, OWNER_CHARS_MAX),
        "reason": one_line(wish.reason, REASON_CHARS_MAX),
        "at_s": round(wish.at_s, 3),
        "for_s": wish.for_s,
        "job": None if wish.job is None else one_line(wish.job, OWNER_CHARS_MAX),
        "contender": wish.contender,
        "extend": [_extend_doc(one) for one in wish.extend[-EXTENDS_MAX:]] or None,
        "keys": [_key_doc(one) for one in wish.keys[-KEYS_MAX:]] or None,
        "snapshot": None if wish.snapshot is None else snapshot_doc(wish.snapshot),
    }
    return without_none(doc)


def read_wish(part: Fields) -> HoldWish:
    """Return the wish that an object of a record holds.

    Raises:
        CorruptRecordError: If it is none.
    """
    snapshot = part.part("snapshot")
    return HoldWish(
        token=token_of(part),
        owner=line_of(part, "owner", OWNER_CHARS_MAX),
        reason=line_of(part, "reason", REASON_CHARS_MAX),
        at_s=part.number("at_s"),
        for_s=part.maybe_number("for_s", high=FOR_S_MAX),
        job=line_of(part, "job", OWNER_CHARS_MAX) or None,
        contender=part.identifier("contender"),
        extend=tuple(_read_extend(one) for one in part.listed("extend", EXTENDS_MAX)),
        keys=tuple(_read_key(one) for one in part.listed("keys", KEYS_MAX)),
        snapshot=None if snapshot is None else read_snapshot(snapshot),
    )


def without_none(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Return *doc* without what is nothing: absent and null read alike."""
    return {key: value for key, value in doc.items() if value is not None}


def token_of(part: Fields) -> str:
    """Return the token that a wish must have.

    Raises:
        CorruptRecordError: If it has none.
    """
    token = part.identifier("token")
    if not token:
        raise part.refuse("token", "an id")
    return token


def line_of(part: Fields, key: str, chars_max: int) -> str:
    """Return what people read, as one bounded line; empty if it is no text."""
    return one_line(part.prose(key, LINE_CHARS_MAX) or "", chars_max)


def _extend_doc(wish: ExtendWish) -> dict[str, Any]:
    return {
        "token": wish.token,
        "by": one_line(wish.by, OWNER_CHARS_MAX),
        "for_s": wish.for_s,
        "at_s": round(wish.at_s, 3),
    }


def _read_extend(part: Fields) -> ExtendWish:
    return ExtendWish(
        token=token_of(part),
        by=line_of(part, "by", OWNER_CHARS_MAX),
        for_s=part.number("for_s", high=FOR_S_MAX),
        at_s=part.number("at_s"),
    )


def _key_doc(wish: KeyWish) -> dict[str, Any]:
    doc = {
        "token": wish.token,
        "by": one_line(wish.by, OWNER_CHARS_MAX),
        "at_s": round(wish.at_s, 3),
        "line": wish.line,
        "developer": wish.developer,
        "account": wish.account,
        "certify": wish.certify or None,
    }
    return without_none(doc)


def _read_key(part: Fields) -> KeyWish:
    line, developer = part.maybe_text("line", LINE_OF_KEY_MAX), part.maybe_text("developer")
    if bool(line) == bool(developer):
        raise part.refuse("line", "a key, or else the name of a developer")
    return KeyWish(
        token=token_of(part),
        by=line_of(part, "by", OWNER_CHARS_MAX),
        at_s=part.number("at_s"),
        line=line or None,
        developer=developer or None,
        account=part.maybe_text("account") or None,
        certify=part.doc.get("certify") is True,
    )


def snapshot_doc(wish: SnapshotWish) -> dict[str, Any]:
    """Return a wish for an image as a part of a record; the pair of :func:`read_snapshot`."""
    doc = {
        "token": wish.token,
        "share_with": wish.share_with,
        "public": wish.public,
        "for_s": wish.for_s,
    }
    return without_none(doc)


def read_snapshot(part: Fields) -> SnapshotWish:
    """Return the wish for an image that an object of a record holds.

    Raises:
        CorruptRecordError: If it is none.
    """
    public = part.doc.get("public", False)
    if not isinstance(public, bool):
        raise part.refuse("public", "true or false")
    return SnapshotWish(
        token=token_of(part),
        share_with=part.identifier("share_with"),
        public=public,
        for_s=part.number("for_s", low=1.0, high=FOR_S_MAX),
    )
