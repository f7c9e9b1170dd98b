"""The requestor: asks for nodes, holds them under locks, gives them back.

::

    with requestor.connect("zk1:2181") as client:
        with client.request({"small": 1}, deadline_s=600) as nodes:
            print(nodes[0].address, nodes[0].port, nodes[0].user)

docs/requestor.md has the whole story.
"""

from remuda.insight.explanation import Explanation
from remuda.store.api import StoreAwayError, StoreError, StoreRefusedError
from requestor.client import Client
from requestor.connecting import connect
from requestor.errors import (
    CaptureFailedError,
    CaptureTimeoutError,
    HoldRefusedError,
    InvalidOptionsError,
    NodesLostError,
    NotOursError,
    PromiseBrokenError,
    RequestFailedError,
    RequestGoneError,
    RequestorError,
    RequestTimeoutError,
    WishError,
)
from requestor.nodes import LeasedNode, LeaseState
from requestor.nodeset import NodeSet
from requestor.pending import PendingRequest

__all__ = [
    "CaptureFailedError",
    "CaptureTimeoutError",
    "Client",
    "Explanation",
    "HoldRefusedError",
    "InvalidOptionsError",
    "LeaseState",
    "LeasedNode",
    "NodeSet",
    "NodesLostError",
    "NotOursError",
    "PendingRequest",
    "PromiseBrokenError",
    "RequestFailedError",
    "RequestGoneError",
    "RequestTimeoutError",
    "RequestorError",
    "StoreAwayError",
    "StoreError",
    "StoreRefusedError",
    "WishError",
    "connect",
]
