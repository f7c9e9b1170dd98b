"""One level of znodes at a time, read with pipelined requests and decoded tolerantly."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from remuda.model import capsule, component, failedrequest, launch, node, request, status
from remuda.model.autohold import Autohold, decode_autohold
from remuda.model.capsule import Capsule
from remuda.model.codec import CorruptRecordError
from remuda.model.component import PoolComponent, Replica
from remuda.model.failedrequest import FailedRequest
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.model.request import Request
from remuda.model.status import ProviderStatus
from remuda.store import paths
from remuda.store.api import NotPermittedError, Store, Stored

T = TypeVar("T")

#: Returns the children of a znode by name, empty if there is no such znode.
TreeReader = Callable[[str], Mapping[str, Stored[bytes]]]

#: Parents of the providers' verdicts and of the evidence of their failed launches.
VERDICTS: Final = paths.verdicts("").rstrip("/")
FAILURES: Final = paths.FAILURES
#: And of the other capsules.
CAPSULES: Final = paths.CAPSULES


@dataclass(frozen=True, slots=True)
class Level(Generic[T]):
    """The records below one parent.

    Attributes:
        records: By name of the znode, in order.
        corrupt: Names of those that did not decode, with the reason.
    """

    records: Mapping[str, T]
    corrupt: Mapping[str, str] = field(default_factory=dict)


class StoreReader:
    """Reads the children of a znode by name, all in flight at once.

    What vanishes meanwhile is left out, and so is what is closed to us: that it is there is all
    that anybody could say of it. Raises StoreAwayError if an answer did not come in time, and
    NotPermittedError if we may not even see what is there.

    Attributes:
        closed: Paths of what was left out because it is closed to us.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.closed: list[str] = []

    def __call__(self, parent: str) -> dict[str, Stored[bytes]]:
        """Read one level."""
        where = {name: f"{parent}/{name}" for name in self._store.children(parent)}
        found = self._store.read_each([*where.values()])
        pairs = [*zip(where, found, strict=True)]
        self.closed += [where[name] for name, one in pairs if isinstance(one, NotPermittedError)]
        return {name: one for name, one in pairs if isinstance(one, Stored)}


def reader(store: Store) -> StoreReader:
    """Return a function that reads the children of a znode by name."""
    return StoreReader(store)


def living(stored: Mapping[str, Stored[bytes]]) -> dict[str, Stored[bytes]]:
    """Return those that go with the session of whoever made them: the others tell of nobody."""
    return {name: one for name, one in stored.items() if one.owner}


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
            corrupt[name] = exc.why
    return Level(records, corrupt)


def autoholds(stored: Mapping[str, Stored[bytes]]) -> Level[Autohold]:
    """Return what lies in ``/remuda/autoholds``; an empty record is one that cannot be read.

    Nothing but ours is there, and nobody removes it by itself.
    """
    level = decode_all(stored, decode_autohold)
    empty = {name: "it is empty" for name, one in sorted(stored.items()) if not one.value}
    return Level(level.records, {**level.corrupt, **empty})


def decode_node(name: str, raw: bytes) -> Node:
    """Decode a node record by the name of its znode."""
    return node.decode(NodeId(name), raw)


def decode_launch(name: str, raw: bytes) -> Launch:
    """Decode a launch record by the name of its znode."""
    return launch.decode(NodeId(name), raw)


def decode_request(name: str, raw: bytes) -> Request:
    """Decode a request record by the name of its znode."""
    return request.decode(RequestId(name), raw)


def decode_replica(name: str, raw: bytes) -> Replica:
    """Decode a replica by the name of its znode."""
    return component.decode_replica(ReplicaId(name), raw)


def nodes(read: TreeReader) -> Level[Node]:
    """Return every node."""
    return decode_all(read(paths.NODES), decode_node)


def launches(read: TreeReader, provider: str) -> Level[Launch]:
    """Return every launch of a provider."""
    return decode_all(read(paths.launches(provider)), decode_launch)


def requests(read: TreeReader) -> Level[Request]:
    """Return every request."""
    return decode_all(read(paths.REQUESTS), decode_request)


def pools(read: TreeReader) -> Level[PoolComponent]:
    """Return the pools that are registered now."""
    return decode_all(living(read(paths.POOL_COMPONENTS)), component.decode_pool)


def statuses(read: TreeReader) -> Level[ProviderStatus]:
    """Return the last status of each provider, whether or not one of its launchers lives."""
    return decode_all(read(paths.STATUSES), status.decode_status)


def replicas(read: TreeReader) -> dict[str, Level[Replica]]:
    """Return the living launchers, by provider; a provider without one may be left out."""
    return {
        provider: decode_all(living(read(paths.replicas(provider))), decode_replica)
        for provider in read(paths.REPLICAS)
    }


def failures(read: TreeReader) -> dict[str, Level[Capsule]]:
    """Return the evidence of failed launches, by provider."""
    return {
        provider: decode_all(read(paths.failures(provider)), capsule.decode_capsule)
        for provider in read(FAILURES)
    }


def capsules(read: TreeReader) -> dict[str, Level[Capsule]]:
    """Return the other capsules, of failed jobs and of machines asked about, by provider."""
    return {
        provider: decode_all(read(paths.capsules(provider)), capsule.decode_capsule)
        for provider in read(CAPSULES)
    }


def failed_requests(read: TreeReader) -> Level[FailedRequest]:
    """Return what is kept of requests that failed, the oldest first."""
    level = decode_all(read(paths.FAILED_REQUESTS), failedrequest.decode_failed)
    inorder = sorted(level.records, key=failedrequest.order)
    return Level({name: level.records[name] for name in inorder}, level.corrupt)


def served(read: TreeReader) -> bool:
    """Say whether any launcher is there, of ours or of another program: one that shows a pool."""
    return bool(living(read(paths.POOL_COMPONENTS)))


def offered_labels(components: Sequence[PoolComponent]) -> tuple[str, ...]:
    """Return the labels that at least one registered pool can make, sorted."""
    return tuple(sorted({label for one in components for label in one.labels}))
