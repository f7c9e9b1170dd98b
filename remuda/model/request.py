"""A node request as it lies in ``/nodepool/requests/<priority>-<sequence>``.

The format is shared with Zuul, Jenkins and Nodepool; docs/znodes.md tells who writes what.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import LABELS_MAX, LINE_CHARS_MAX, Fields
from remuda.model.ids import NodeId, RequestId
from remuda.model.imageask import IMAGE_KEY, ImageAsk, ask_doc, read_ask
from remuda.model.salvage import salvage


class RequestState(StrEnum):
    """The four states of a request; other programs refuse any other word."""

    REQUESTED = "requested"  # nobody serves it yet
    PENDING = "pending"  # one provider has taken it and holds its lock
    FULFILLED = "fulfilled"  # its nodes are named in it and wait for their user
    FAILED = "failed"  # nobody can serve it; the requestor is to delete it


class RequestEvent(StrEnum):
    """What may happen to a request."""

    CLAIMED = "claimed"  # a provider starts to make its nodes
    RELEASED = "released"  # the provider declined or died: others may try
    LENT = "lent"  # its nodes are ready and allocated to it
    REFUSED = "refused"  # the last provider declined


class IllegalRequestStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


_S, _E = RequestState, RequestEvent
REQUEST_TABLE: Final[Mapping[RequestState, Mapping[RequestEvent, RequestState]]] = {
    _S.REQUESTED: {
        _E.CLAIMED: _S.PENDING,
        _E.LENT: _S.FULFILLED,
        _E.REFUSED: _S.FAILED,
        _E.RELEASED: _S.REQUESTED,
    },
    _S.PENDING: {
        _E.LENT: _S.FULFILLED,
        _E.RELEASED: _S.REQUESTED,
        _E.REFUSED: _S.FAILED,
    },
    _S.FULFILLED: {},
    _S.FAILED: {},
}

#: Zuul's client raises KeyError when one of these is absent; null is fine for all but the last
#: three. Jenkins leaves most of them out.
REQUIRED_KEYS: Final = (
    "requestor",
    "requestor_data",
    "provider",
    "relative_priority",
    "event_id",
    "node_types",
    "state",
    "state_time",
)


#: Launchers keep every request in memory, and so does ZooKeeper. Those of Zuul have about 1 KiB.
REQUEST_BYTES_MAX: Final = 64 * 1024
#: Every launcher that declines adds one entry for each of its pools.
DECLINED_MAX: Final = 1000
#: Our own key in a request for a machine that boots a take-home image.
OPEN_KEY: Final = "remuda_open"
#: Our own key in a request that one of us found unfit. Who declines it first writes it again, by
#: which a number that JSON does not have is lost; the others are to decline it all the same.
UNFIT_KEY: Final = "remuda_unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request for machines: all of them or none, from one provider.

    Attributes:
        id: Name of the znode, ``<three characters of priority>-<sequence>``.
        labels: Wanted labels in order, with repeats.
        nodes: Ids of the allocated nodes in the order of *labels*; set when fulfilled.
        declined_by: Component ids of the pools that will not serve it.
        reuse: False: ready nodes are not good enough, make new ones.
        provider: Preferred provider, or None.
        state_time_s: Last change of state, seconds since the epoch.
        image: What a builder asks of the machine; None: it is no builder's.
        opens: The take-home image of that node is to be booted; None: what its label boots.
        unfit: Why nobody can serve it as it is written, or None. Of such a request no more is known
            than its state, who asked, and who has declined it; it is to be declined for this.
        doc: The whole record as read, for the keys that are not ours.
    """

    id: RequestId
    state: RequestState
    labels: tuple[str, ...]
    nodes: tuple[NodeId, ...] = ()
    declined_by: tuple[str, ...] = ()
    reuse: bool = True
    requestor: str | None = None
    provider: str | None = None
    relative_priority: int = 0
    state_time_s: float = 0.0
    created_s: float | None = None
    tenant: str | None = None
    event_id: str | None = None
    image: ImageAsk | None = None
    opens: NodeId | None = None
    unfit: str | None = None
    doc: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def priority(self) -> str:
        """The part of the id before the dash; compared as text, lower first."""
        return self.id.partition("-")[0]

    @property
    def sequence(self) -> str:
        """The part of the id after the dash: the order of submission."""
        return self.id.partition("-")[2]

    @property
    def complete(self) -> bool:
        """Whether every key that Zuul's client insists on is present."""
        return all(key in self.doc for key in REQUIRED_KEYS)

    def after(self, event: RequestEvent, *, now_s: float, **changes: Any) -> "Request":
        """Return the request one step on; the only way its state changes.

        Raises:
            IllegalRequestStepError: If the table has no such edge.
        """
        try:
            state = REQUEST_TABLE[self.state][event]
        except KeyError:
            raise IllegalRequestStepError(
                f"request {self.id} is {self.state!s}: no edge {event!s}"
            ) from None
        return replace(self, state=state, state_time_s=now_s, **changes)


def decode(request_id: RequestId, raw: bytes) -> Request:
    """Read a request record, tolerant of what real clients leave out.

    One that has a state, but that nobody can serve, is returned as *unfit* with the reason: its
    requestor is to hear of it.

    Raises:
        CorruptRecordError: If it is no request at all.
    """
    try:
        return _read(Fields(request_id, codec.parse(request_id, raw, REQUEST_BYTES_MAX)))
    except CorruptRecordError as exc:
        saved = salvage(raw, whole=len(raw) <= REQUEST_BYTES_MAX)
        if saved is None:
            raise
        return _unfit(Fields(request_id, saved), exc.why)


def _read(fields: Fields) -> Request:
    unfit = fields.prose(UNFIT_KEY)
    if unfit is not None:
        raise CorruptRecordError(fields.name, unfit)
    return Request(
        id=RequestId(fields.name),
        state=fields.word("state", RequestState),
        labels=fields.texts("node_types", LABELS_MAX),
        nodes=tuple(map(NodeId, fields.identifiers("nodes", LABELS_MAX))),
        declined_by=fields.texts("declined_by", DECLINED_MAX, LINE_CHARS_MAX),
        reuse=fields.doc.get("reuse") is not False,
        requestor=fields.sloppy_text("requestor", LINE_CHARS_MAX),
        provider=fields.sloppy_text("provider"),
        relative_priority=fields.rank("relative_priority", 0),
        state_time_s=fields.number("state_time", 0.0),
        created_s=fields.number("created_time", 0.0) or None,
        tenant=fields.sloppy_text("tenant_name", LINE_CHARS_MAX),
        event_id=fields.sloppy_text("event_id", LINE_CHARS_MAX),
        image=read_ask(fields),
        opens=_opens(fields),
        doc=fields.doc,
    )


def _opens(fields: Fields) -> NodeId | None:
    part = fields.part(OPEN_KEY)
    node = None if part is None else part.identifier("node")
    if part is not None and not node:
        raise part.refuse("node", "the id of a node")
    return None if node is None else NodeId(node)


def _unfit(fields: Fields, why: str) -> Request:
    try:
        declined_by = fields.texts("declined_by", DECLINED_MAX, LINE_CHARS_MAX)
    except CorruptRecordError:
        declined_by = ()
    return Request(
        id=RequestId(fields.name),
        state=fields.word("state", RequestState),
        labels=(),
        declined_by=declined_by,
        requestor=fields.prose("requestor", LINE_CHARS_MAX),
        unfit=why,
        doc=fields.doc,
    )


def encode(request: Request) -> bytes:
    """Return the record: every key that was read, ours renewed, the required ones completed.

    ``tenant_name`` is written only if it was there: Zuul overwrites its own tenant with ours. What
    we could not read of an unfit request is left to whoever wrote it.
    """
    doc: dict[str, Any] = {
        **dict.fromkeys(("requestor_data", "event_id")),
        **request.doc,
        "state": str(request.state),
        "state_time": request.state_time_s,
        "nodes": list(request.nodes),
        "declined_by": list(request.declined_by),
    }
    if request.unfit is not None:
        return codec.dump({**dict.fromkeys(REQUIRED_KEYS), **doc, UNFIT_KEY: request.unfit})
    doc.update(
        node_types=list(request.labels),
        reuse=request.reuse,
        requestor=request.requestor,
        provider=request.provider,
        relative_priority=request.relative_priority,
    )
    if request.image is not None:
        doc[IMAGE_KEY] = ask_doc(request.image)
    return codec.dump(doc)
