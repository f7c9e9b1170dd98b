"""Records as large as real ones, for the raw chain; and requests as a client writes them."""

from typing import Final

from remuda.model import node as nodes
from remuda.model import request as requests
from remuda.model.ids import NodeId, RequestId
from remuda.model.node import Node, NodeEvent, NodeState
from remuda.model.request import Request, RequestEvent, RequestState

_WHEN_S: Final = 1_700_000_000.0
_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL0QVZbhnhGXOJwsBUHHDt8qKq2Y2ZKpCkxYd3wCWeJy"


def request_record(label: str) -> bytes:
    """Return a new request for one node."""
    return requests.encode(_request(label))


def _request(label: str) -> Request:
    token = "0123456789abcdef" * 2
    return Request(
        id=RequestId("200-"),
        state=RequestState.REQUESTED,
        labels=(label,),
        requestor="bench@host",
        state_time_s=_WHEN_S,
        doc={
            "requestor_data": {"remuda": {"token": token}},
            "event_id": token,
            "created_time": _WHEN_S,
        },
    )


def _node() -> Node:
    return Node(
        id=NodeId("3000000001"),
        state=NodeState.READY,
        labels=("small",),
        provider="alpha",
        pool="main",
        state_time_s=_WHEN_S,
        created_s=_WHEN_S,
        external_id="5d3f2a0e-6f0e-4f4e-9e59-0d4c7a1f4f3a",
        doc={"host_keys": [_KEY], "interface_ip": "127.77.0.11", "username": "debian"},
    )


REQUEST: Final = request_record("small")
FULFILLED: Final = requests.encode(
    _request("small").after(RequestEvent.LENT, now_s=_WHEN_S, nodes=(NodeId("3000000001"),))
)
NODE_READY: Final = nodes.encode(_node())
NODE_ALLOCATED: Final = nodes.encode(
    _node().after(NodeEvent.ALLOCATED, now_s=_WHEN_S, allocated_to=RequestId("200-0000000001"))
)
