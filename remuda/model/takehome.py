"""Take-home images: the machine of a hold, as an image that its developer boots elsewhere.

What the holder wishes lies in the node's record, which requestors may write. The *answer* is what
the node's launcher makes of it, in the launch record; for what it grants it makes the record in
``/remuda/takehome/<node>``, which builders carry on: taken, made quiet, snapshotted, shared, and at
its end deleted. The machine goes as soon as its image is whole. Whoever wants another end, now or
later, says so in ``/remuda/takehome-ends/<node>``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.fields import LINE_CHARS_MAX, Fields, safe
from remuda.model.hold import HoldSource
from remuda.model.holdowner import HeldFor
from remuda.model.holdwish import (
    FOR_S_MAX,
    SnapshotWish,
    read_snapshot,
    snapshot_doc,
    token_of,
    without_none,
)
from remuda.model.ids import NodeId, ReplicaId, ServerId
from remuda.model.image import PLACE
from remuda.model.imageask import read_login_key

SCHEMA: Final = 1
#: Longer reasons are cut.
WHY_CHARS_MAX: Final = 500
#: A project as Keystone names it: Glance takes any text for a member, and tells nobody.
PROJECT: Final = re.compile("[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
#: So often a machine may be worked on: builders die, clouds refuse.
ATTEMPTS_MAX: Final = 3


class TakeHomeState(StrEnum):
    """How far a take-home image is."""

    ASKED = "asked"  # its launcher has granted it; no builder has taken it
    MAKING = "making"  # a builder is at the machine, or at the snapshot
    WHOLE = "whole"  # there is an image: the machine may go
    FAILED = "failed"  # there is none; the hold is as it was, but for its trouble
    ENDING = "ending"  # the image is being deleted; then the record goes


class TakeHomeEvent(StrEnum):
    """What moves one on."""

    TAKEN = "taken"  # a builder begins, or goes on where another one died
    AGAIN = "again"  # it is wished once more: it goes on where it came to nothing
    KEPT = "kept"  # the image is whole, and shared as far as the cloud lets us
    BROKEN = "broken"  # it came to nothing
    OVER = "over"  # its time, or somebody's word


class IllegalTakeHomeStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


_S, _E = TakeHomeState, TakeHomeEvent
TAKE_HOME_TABLE: Final[Mapping[TakeHomeState, Mapping[TakeHomeEvent, TakeHomeState]]] = {
    _S.ASKED: {_E.TAKEN: _S.MAKING, _E.BROKEN: _S.FAILED, _E.OVER: _S.ENDING},
    _S.MAKING: {
        _E.TAKEN: _S.MAKING,
        _E.KEPT: _S.WHOLE,
        _E.BROKEN: _S.FAILED,
    },
    _S.WHOLE: {_E.OVER: _S.ENDING},
    _S.FAILED: {_E.AGAIN: _S.ASKED, _E.OVER: _S.ENDING},
    _S.ENDING: {_E.OVER: _S.ENDING},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAnswer:
    """What the node's launcher makes of a wish.

    Attributes:
        refused: The rule that it breaks; None: it is granted.
        begun: Whether there is a record of it: the machine has to be held first.
    """

    wish: SnapshotWish
    refused: str | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeHome:
    """The machine of one hold on its way to an image, and that image until its end.

    Attributes:
        wish: As it was granted: *for_s* is within the operator's maximum.
        provider, pool, label: What the machine was made as.
        requestor: Whose the node was; *by*: for whom it is held, and *reason*: why.
        source: By whose word it is held; None: its record is of an older launcher.
        owner: The builder that is at it, or was last; *attempt* counts them.
        login_key: Public line of the key by which it is let onto the machine.
        server: Id of the machine in its cloud.
        quieting_s: When the builder began to take the machine's identity off; before that it is
            as its holder left it.
        quiet: Whether that was asserted: it may be snapshotted without another look.
        cloud_name: What the snapshot is called, before it is asked for; with *asked_by_s*: until
            when that call may arrive.
        place: Where the image lies.
        cloud_image: Its id, once that is known.
        flavor: What the machine's flavor is called, as the configuration or the cloud says.
        cloud, region: What the configuration calls them; the region may have no name.
        shared: Whether *share_with* may boot it, or everybody, as was asked.
        trouble: What is not as asked though there is an image; or, without one, what has become of
            its machine.
        ends_s: Then it is deleted; known once it is whole.
        more: What became of the last wish that it be kept for longer.
        failure: Why there is no image; while it is being made: none will be, and its machine is
            started again.
    """

    node: NodeId
    state: TakeHomeState
    wish: SnapshotWish
    provider: str
    pool: str
    label: str
    requestor: str = ""
    by: str = ""
    source: HoldSource | None = None
    reason: str = ""
    since_s: float = 0.0
    owner: ReplicaId | None = None
    attempt: int = 0
    login_key: str | None = None
    server: ServerId | None = None
    quieting_s: float | None = None
    quiet: bool = False
    cloud_name: str | None = None
    asked_by_s: float = 0.0
    place: str | None = None
    cloud_image: str | None = None
    size_bytes: int | None = None
    min_disk_gib: int = 0
    flavor: str = ""
    cloud: str = ""
    region: str = ""
    username: str = ""
    shared: bool = False
    trouble: str | None = None
    ends_s: float | None = None
    more: "MoreTime | None" = None
    failure: str | None = None

    @property
    def held_for(self) -> HeldFor:
        """Whose it is."""
        return HeldFor(owner=self.by, source=self.source, requestor=self.requestor)

    def after(self, event: TakeHomeEvent, *, now_s: float, **changes: Any) -> "TakeHome":
        """Return it one step on; the only way its state changes.

        Raises:
            IllegalTakeHomeStepError: If the table has no such edge.
        """
        try:
            state = TAKE_HOME_TABLE[self.state][event]
        except KeyError:
            message = f"take-home image {self.node} is {self.state!s}: no edge {event!s}"
            raise IllegalTakeHomeStepError(message) from None
        return replace(self, state=state, since_s=round(now_s, 3), **changes)


class WantedEnd(StrEnum):
    """Which other end somebody wants of a take-home image."""

    NOW = "now"  # it is to be deleted
    LATER = "later"  # it is to be kept for longer


@dataclass(frozen=True, slots=True, kw_only=True)
class EndWish:
    """Somebody wants another end of a take-home image.

    Attributes:
        token: Of a wish for more time: no two have the same. None: it is to be deleted now.
        for_s: By so much later; 0: as late as may be.
    """

    by: str
    at_s: float
    token: str | None = None
    for_s: float = 0.0

    @property
    def wants(self) -> WantedEnd:
        """Which end is wanted."""
        return WantedEnd.NOW if self.token is None else WantedEnd.LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreTime:
    """What became of a wish that an image be kept for longer.

    Attributes:
        refused: The rule that it breaks; None: it is kept for longer.
    """

    token: str
    by: str
    at_s: float
    refused: str | None = None


def answer_doc(answer: SnapshotAnswer) -> dict[str, Any]:
    """Return an answer as a part of a launch; the pair of :func:`read_snapshot_answer`."""
    doc: dict[str, Any] = {"wish": snapshot_doc(answer.wish), "begun": answer.begun}
    if answer.refused is not None:
        doc["refused"] = safe(answer.refused, WHY_CHARS_MAX)
    return doc


def read_snapshot_answer(fields: Fields, key: str) -> SnapshotAnswer | None:
    """Return the answer in a field of a launch, or None if there is none."""
    part = fields.part(key)
    if part is None:
        return None
    return SnapshotAnswer(
        wish=_wish(part),
        refused=part.prose("refused", WHY_CHARS_MAX),
        begun=part.doc.get("begun") is True,
    )


def _wish(fields: Fields) -> SnapshotWish:
    part = fields.part("wish")
    if part is None:
        raise fields.refuse("wish", "what is wished")
    return read_snapshot(part)


def encode_take_home(one: TakeHome) -> bytes:
    """Serialise all but the node, which is in the znode's path."""
    doc = {
        "schema": SCHEMA,
        "state": str(one.state),
        "wish": snapshot_doc(one.wish),
        "provider": one.provider,
        "pool": one.pool,
        "label": one.label,
        "requestor": safe(one.requestor, LINE_CHARS_MAX),
        "by": safe(one.by, LINE_CHARS_MAX),
        "source": None if one.source is None else str(one.source),
        "reason": safe(one.reason, WHY_CHARS_MAX),
        "since_s": one.since_s,
        "owner": one.owner,
        "attempt": one.attempt,
        "login_key": one.login_key,
        "server": one.server,
        "quieting_s": one.quieting_s,
        "quiet": one.quiet,
        "cloud_name": one.cloud_name,
        "asked_by_s": one.asked_by_s,
        "place": one.place,
        "cloud_image": one.cloud_image,
        "size_bytes": one.size_bytes,
        "min_disk_gib": one.min_disk_gib,
        "flavor": safe(one.flavor, LINE_CHARS_MAX),
        "cloud": safe(one.cloud, LINE_CHARS_MAX),
        "region": safe(one.region, LINE_CHARS_MAX),
        "username": safe(one.username, LINE_CHARS_MAX),
        "shared": one.shared,
        "trouble": None if one.trouble is None else safe(one.trouble, WHY_CHARS_MAX),
        "ends_s": one.ends_s,
        "more": None if one.more is None else _more_doc(one.more),
        "failure": None if one.failure is None else safe(one.failure, WHY_CHARS_MAX),
    }
    return codec.dump(without_none(doc))


def decode_take_home(node: NodeId, raw: bytes) -> TakeHome:
    """Rebuild the record; the pair of :func:`encode_take_home`.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"take-home image {node}"
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    place, owner, server = (
        fields.maybe_text("place"),
        fields.identifier("owner"),
        fields.identifier("server"),
    )
    if place is not None and not PLACE.fullmatch(place):
        raise fields.refuse("place", "a place")
    return TakeHome(
        node=node,
        state=fields.word("state", TakeHomeState),
        wish=_wish(fields),
        provider=fields.text("provider"),
        pool=fields.text("pool"),
        label=fields.text("label"),
        requestor=fields.prose("requestor", LINE_CHARS_MAX) or "",
        by=fields.prose("by", LINE_CHARS_MAX) or "",
        source=None if fields.doc.get("source") is None else fields.word("source", HoldSource),
        reason=fields.prose("reason", WHY_CHARS_MAX) or "",
        since_s=fields.number("since_s", 0.0),
        owner=None if owner is None else ReplicaId(owner),
        attempt=fields.count("attempt", 0),
        login_key=read_login_key(fields),
        server=None if server is None else ServerId(server),
        quieting_s=fields.maybe_number("quieting_s"),
        quiet=fields.doc.get("quiet") is True,
        cloud_name=fields.maybe_text("cloud_name"),
        asked_by_s=fields.number("asked_by_s", 0.0),
        place=place,
        cloud_image=fields.identifier("cloud_image"),
        size_bytes=fields.maybe_count("size_bytes"),
        min_disk_gib=fields.count("min_disk_gib", 0),
        flavor=fields.prose("flavor", LINE_CHARS_MAX) or "",
        cloud=fields.prose("cloud", LINE_CHARS_MAX) or "",
        region=fields.prose("region", LINE_CHARS_MAX) or "",
        username=fields.prose("username", LINE_CHARS_MAX) or "",
        shared=fields.doc.get("shared") is True,
        trouble=fields.prose("trouble", WHY_CHARS_MAX),
        ends_s=fields.maybe_number("ends_s"),
        more=_read_more(fields.part("more")),
        failure=fields.prose("failure", WHY_CHARS_MAX),
    )


def _more_doc(more: MoreTime) -> dict[str, Any]:
    refused = None if more.refused is None else safe(more.refused, WHY_CHARS_MAX)
    doc = {
        "token": more.token,
        "by": safe(more.by, LINE_CHARS_MAX),
        "at_s": round(more.at_s, 3),
        "refused": refused,
    }
    return without_none(doc)


def _read_more(part: Fields | None) -> MoreTime | None:
    if part is None:
        return None
    return MoreTime(
        token=token_of(part),
        by=part.prose("by", LINE_CHARS_MAX) or "",
        at_s=part.number("at_s"),
        refused=part.prose("refused", WHY_CHARS_MAX),
    )


def encode_end_wish(wish: EndWish) -> bytes:
    """Serialise a wish for an end; the pair of :func:`decode_end_wish`."""
    doc = {
        "schema": SCHEMA,
        "by": safe(wish.by, LINE_CHARS_MAX),
        "at_s": round(wish.at_s, 3),
        "wants": str(wish.wants),
        "token": wish.token,
        "for_s": wish.for_s or None,
    }
    return codec.dump(without_none(doc))


def decode_end_wish(node: NodeId, raw: bytes) -> EndWish:
    """Rebuild a wish for an end.

    Older requestors do not write which end they want: that they have a token says it.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know, or wants two things at once.
    """
    name = f"end of take-home image {node}"
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    wish = EndWish(
        by=fields.prose("by", LINE_CHARS_MAX) or "",
        at_s=fields.number("at_s", 0.0),
        token=fields.identifier("token"),
        for_s=fields.maybe_number("for_s", high=FOR_S_MAX) or 0.0,
    )
    if fields.doc.get("wants") is not None and fields.word("wants", WantedEnd) is not wish.wants:
        raise fields.refuse("wants", "later of a wish with a token, and now of one without")
    return wish
