"""A node as it lies in ``/nodepool/nodes/<id>``: what its user needs to know of a machine.

The format is shared with Zuul, Jenkins and Nodepool, and some of them drop keys they do not
know; so what *we* need to survive lives in the launch record (``remuda.model.launch``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.fields import LABELS_MAX, SECONDS_MAX, Fields
from remuda.model.ids import NodeId, RequestId
from remuda.model.packed import Packed, as_dict

#: Jenkins writes a hold's expiry as epoch milliseconds where everybody else means seconds from
#: now; no hold lasts three thousand years, so a number this big is a point in time.
EPOCH_MS_FLOOR: Final = 1e11


class NodeState(StrEnum):
    """The states of a node on the wire."""

    INIT = "init"
    BUILDING = "building"  # a machine is being made and proven
    TESTING = "testing"  # nobody writes it today; readers know it
    READY = "ready"  # proven; free, or waiting for the request in allocated_to
    IN_USE = "in-use"  # its user works on it, under the node's lock
    USED = "used"  # its user is done with it
    HOLD = "hold"  # kept for a person
    FAILED = "failed"  # its launch gave up
    ABORTED = "aborted"  # the cloud had no room
    DELETING = "deleting"  # will be destroyed; never comes back
    DELETED = "deleted"  # written by another launcher right before it removes the znode

    @property
    def said(self) -> str:
        """How it reads in a sentence, after *is* or *was*."""
        return {"in-use": "in use", "hold": "held"}.get(self.value, self.value)


class NodeEvent(StrEnum):
    """What we do to a node; its user's own steps (in-use, used, hold) are only read."""

    PROVEN = "proven"  # logged in, checks passed
    ALLOCATED = "allocated"  # promised to one request
    FREED = "freed"  # the request went away without using it
    CONDEMNED = "condemned"  # failure, age, release or an operator
    TAKEN = "taken"  # its user starts
    RETURNED = "returned"  # its user is done
    HELD = "held"  # kept for a person


class IllegalNodeStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


_S, _E = NodeState, NodeEvent
NODE_TABLE: Final[Mapping[NodeState, Mapping[NodeEvent, NodeState]]] = {
    _S.INIT: {_E.CONDEMNED: _S.DELETING},
    _S.BUILDING: {_E.PROVEN: _S.READY, _E.CONDEMNED: _S.DELETING},
    _S.TESTING: {_E.CONDEMNED: _S.DELETING},
    _S.READY: {
        _E.ALLOCATED: _S.READY,
        _E.FREED: _S.READY,
        _E.TAKEN: _S.IN_USE,
        _E.RETURNED: _S.USED,
        _E.HELD: _S.HOLD,
        _E.CONDEMNED: _S.DELETING,
    },
    _S.IN_USE: {_E.RETURNED: _S.USED, _E.HELD: _S.HOLD, _E.CONDEMNED: _S.DELETING},
    _S.USED: {_E.HELD: _S.HOLD, _E.CONDEMNED: _S.DELETING},
    _S.HOLD: {_E.RETURNED: _S.USED, _E.CONDEMNED: _S.DELETING},
    _S.FAILED: {_E.CONDEMNED: _S.DELETING},
    _S.ABORTED: {_E.CONDEMNED: _S.DELETING},
    _S.DELETING: {_E.CONDEMNED: _S.DELETING},
    _S.DELETED: {_E.CONDEMNED: _S.DELETED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine we answer for, as its users see it.

    Attributes:
        labels: Labels it carries; a launched node has exactly the one it was made for.
        state_time_s: Last change of state, seconds since the epoch.
        allocated_to: Request that this node is promised to, through in-use, hold and used.
        hold_expiration: As written: seconds, or epoch milliseconds (Jenkins), or None.
        doc: The whole record as read: the keys that only users care for, and foreign ones.
    """

    id: NodeId
    state: NodeState
    labels: tuple[str, ...] = ()
    provider: str | None = None
    pool: str | None = None
    allocated_to: RequestId | None = None
    state_time_s: float = 0.0
    created_s: float | None = None
    hold_expiration: float | None = None
    external_id: str | None = None
    doc: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def free(self) -> bool:
        """Whether it is ready and promised to nobody."""
        return self.state is NodeState.READY and not self.allocated_to

    def after(
        self,
        event: NodeEvent,
        *,
        now_s: float,
        fields: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> "Node":
        """Return the node one step on, with *fields* of its record set; the only way it changes.

        Raises:
            IllegalNodeStepError: If the table has no such edge.
        """
        try:
            state = NODE_TABLE[self.state][event]
        except KeyError:
            raise IllegalNodeStepError(
                f"node {self.id} is {self.state!s}: no edge {event!s}"
            ) from None
        since_s = self.state_time_s if state is self.state else now_s
        doc = self.doc if fields is None else {**as_dict(self.doc), **fields}
        return replace(self, state=state, state_time_s=since_s, doc=doc, **changes)

    def with_fields(self, **fields: Any) -> "Node":
        """Return the node with *fields* of its record set, such as ``interface_ip``."""
        return replace(self, doc={**as_dict(self.doc), **fields})

    def with_server(self, server: str) -> "Node":
        """Return the node with the cloud's id of its machine."""
        return replace(self, external_id=server)


def decode(node_id: NodeId, raw: bytes) -> Node:
    """Read a node record, tolerant of what Jenkins makes of it.

    Raises:
        CorruptRecordError: If it is no node at all.
    """
    fields = Fields(node_id, Packed(codec.parse(node_id, raw)))
    doc = fields.doc
    one_label = isinstance(doc.get("type"), str)
    labels = (fields.text("type"),) if one_label else fields.texts("type", LABELS_MAX)
    allocated_to = fields.sloppy_text("allocated_to")
    return Node(
        id=node_id,
        state=fields.word("state", NodeState),
        labels=labels,
        provider=fields.sloppy_text("provider"),
        pool=fields.sloppy_text("pool"),
        allocated_to=RequestId(allocated_to) if allocated_to else None,
        state_time_s=fields.number("state_time", 0.0),
        created_s=fields.number("created_time", 0.0) or None,
        hold_expiration=_hold_expiration(doc),
        external_id=fields.sloppy_text("external_id"),
        doc=doc,
    )


def _hold_expiration(doc: Mapping[str, Any]) -> float | None:
    # Nodepool reads a hold that is not a number as no limit; so do we, and what is no time at all.
    value = doc.get("hold_expiration")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= SECONDS_MAX else None


def hold_ends_s(node: Node, max_age_s: float | None = None) -> float | None:
    """Return when a held node's time is over, seconds since the epoch, or None for never.

    Args:
        node: The node.
        max_age_s: Its provider ends every hold after so many seconds; None: none by itself.
    """
    ends = [] if max_age_s is None else [node.state_time_s + max_age_s]
    if node.hold_expiration is not None:
        at_s = node.hold_expiration / 1000.0
        since_s = node.state_time_s + node.hold_expiration
        ends.append(at_s if node.hold_expiration > EPOCH_MS_FLOOR else since_s)
    return min(ends, default=None)


#: What a fresh record holds besides our own fields. Zuul loses a hold's expiry unless the key is
#: already there, turns off host key checking when host_keys is empty, and needs python_path.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "hold_expiration": None,
    "hold_job": None,
    "comment": None,
    "user_data": None,
    "driver_data": None,
    "tenant_name": None,
    "requestor": None,
    "hostname": None,
    "slot": None,
    "attributes": None,
    "node_properties": {},
    "host_keys": [],
    "python_path": "auto",
    "shell_type": None,
    "connection_type": "ssh",
    "connection_port": 22,
    "ssh_port": 22,
    "public_ipv4": None,
    "private_ipv4": None,
    "public_ipv6": None,
    "interface_ip": None,
    "az": None,
    "cloud": None,
    "region": None,
    "host_id": None,
    "username": None,
    "image_id": None,
}


def encode(node: Node) -> bytes:
    """Return the record: every key that was read, ours renewed, the expected ones completed."""
    doc: dict[str, Any] = {**_DEFAULTS, **as_dict(node.doc)}
    doc.update(
        state=str(node.state),
        state_time=node.state_time_s,
        type=list(node.labels),
        provider=node.provider,
        pool=node.pool,
        allocated_to=node.allocated_to,
        created_time=node.created_s,
        external_id=node.external_id,
    )
    return codec.dump(doc)
