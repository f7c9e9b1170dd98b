"""One level of znodes at a time, read with pipelined requests and decoded tolerantly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from remuda.model import component, node, request, status
from remuda.model.codec import CorruptRecordError
from remuda.model.component import PoolComponent
from remuda.model.ids import NodeId, RequestId
from remuda.model.node import Node
from remuda.model.request import Request
from remuda.model.status import FailureReport, ProviderStatus
from remuda.store import paths
from remuda.store.api import Store, Stored

T = TypeVar("T")

#: Parents of the providers' verdicts and of the evidence of their failed launches.
VERDICTS: Final = paths.verdicts("").rstrip("/")
FAILURES: Final = paths.failures("").rstrip("/")


@dataclass(frozen=True, slots=True)
class Level(Generic[T]):
    """The records below one parent.

    Attributes:
        records: By name of the znode, in order.
        corrupt: Names of those that did not decode, with the reason.
    """

    records: Mapping[str, T]
    corrupt: Mapping[str, str] = field(default_factory=dict)


def read_children(store: Store, parent: str) -> dict[str, Stored[bytes]]:
    """Return the children of *parent* by name; what vanishes meanwhile is left out.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    names = store.children(parent)
    found = store.read_many([f"{parent}/{name}" for name in names])
    return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def decode_all(stored: Mapping[str, Stored[bytes]], decode: Callable[[str, bytes], T]) -> Level[T]:
    """Return *stored* decoded; empty records are other programs' leavings and are left out."""
    records: dict[str, T] = {}
    corrupt: dict[str, str] = {}
    for name in sorted(stored):
        raw = stored[name].value
        if not raw:
            continue
        try:
            records[name] = decode(name, raw)
        except CorruptRecordError as exc:
            corrupt[name] = str(exc)
    return Level(records, corrupt)


def decode_node(name: str, raw: bytes) -> Node:
    """Decode a node record by the name of its znode."""
    return node.decode(NodeId(name), raw)


def decode_request(name: str, raw: bytes) -> Request:
    """Decode a request record by the name of its znode."""
    return request.decode(RequestId(name), raw)


def nodes(store: Store) -> Level[Node]:
    """Return every node.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    return decode_all(read_children(store, paths.NODES), decode_node)


def requests(store: Store) -> Level[Request]:
    """Return every request.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    return decode_all(read_children(store, paths.REQUESTS), decode_request)


def pools(store: Store) -> Level[PoolComponent]:
    """Return the pools that are registered now.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    return decode_all(read_children(store, paths.POOL_COMPONENTS), component.decode_pool)


def statuses(store: Store) -> Level[ProviderStatus]:
    """Return the last status of each provider, whether or not one of its launchers lives.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    return decode_all(read_children(store, paths.STATUSES), status.decode_status)


def failures(store: Store) -> dict[str, Level[FailureReport]]:
    """Return the evidence of failed launches, by provider.

    Raises:
        StoreAwayError: If an answer did not come in time.
    """
    return {
        provider: decode_all(read_children(store, paths.failures(provider)), status.decode_failure)
        for provider in store.children(FAILURES)
    }


def offered_labels(components: Sequence[PoolComponent]) -> tuple[str, ...]:
    """Return the labels that at least one registered pool can make, sorted."""
    return tuple(sorted({label for one in components for label in one.labels}))
