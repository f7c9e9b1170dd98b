"""Who is there: pool components (shared format) and our own replicas; both are ephemeral."""

from dataclasses import dataclass

from remuda.model import codec
from remuda.model.ids import ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolComponent:
    """One pool of one launcher, as in ``/nodepool/components/pool/<host><sequence>``.

    Attributes:
        id: What goes into ``declined_by``: new at every start, so that a restarted launcher has
            declined nothing.
        priority: Lower is preferred.
        paused: It waits for room and takes nothing new.
    """

    id: str
    hostname: str
    provider: str
    pool: str
    labels: tuple[str, ...]
    priority: int = 100
    paused: bool = False
    state: str = "running"
    version: str = ""


def pool_component_id(fqdn: str, provider: str, pool: str, unique: str) -> str:
    """Return the id in the shared form ``<fqdn>-PoolWorker.<provider>-<pool>-<unique>``."""
    return f"{fqdn}-PoolWorker.{provider}-{pool}-{unique}"


def encode_pool(component: PoolComponent) -> bytes:
    """Return the record in the shared format (model_api is always 0 so far)."""
    return codec.dump(
        {
            "hostname": component.hostname,
            "id": component.id,
            "kind": "pool",
            "model_api": 0,
            "name": component.pool,
            "paused": component.paused,
            "priority": component.priority,
            "provider_name": component.provider,
            "state": component.state,
            "supported_labels": list(component.labels),
            "version": component.version,
        }
    )


def decode_pool(path: str, raw: bytes) -> PoolComponent:
    """Read a pool component, ours or another program's.

    Raises:
        CorruptRecordError: If it has no id or provider.
    """
    doc = codec.parse(path, raw)
    pool_id, provider = doc.get("id"), doc.get("provider_name")
    if not isinstance(pool_id, str) or not isinstance(provider, str):
        raise codec.CorruptRecordError(f"{path}: no id or provider_name")
    return PoolComponent(
        id=pool_id,
        hostname=codec.text_or_none(doc, "hostname") or "",
        provider=provider,
        pool=codec.text_or_none(doc, "name") or "",
        labels=codec.texts(path, doc, "supported_labels"),
        priority=int(codec.number(path, doc, "priority", 100)),
        paused=bool(doc.get("paused")),
        state=codec.text_or_none(doc, "state") or "running",
        version=codec.text_or_none(doc, "version") or "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One launcher process of a provider; its znode's name is its id.

    Attributes:
        url: Its status endpoint, or None.
        started_s: Wall clock at its start, seconds since the epoch.
    """

    id: ReplicaId
    hostname: str
    pid: int
    version: str
    started_s: float
    url: str | None = None


def encode_replica(replica: Replica) -> bytes:
    """Serialise all but the id."""
    return codec.dump(
        {
            "hostname": replica.hostname,
            "pid": replica.pid,
            "version": replica.version,
            "started_s": replica.started_s,
            "url": replica.url,
        }
    )


def decode_replica(replica_id: ReplicaId, raw: bytes) -> Replica:
    """Rebuild a replica; the pair of :func:`encode_replica`.

    Raises:
        CorruptRecordError: If it is none.
    """
    doc = codec.parse(replica_id, raw)
    return Replica(
        id=replica_id,
        hostname=codec.text_or_none(doc, "hostname") or "?",
        pid=int(codec.number(replica_id, doc, "pid", 0)),
        version=codec.text_or_none(doc, "version") or "",
        started_s=codec.number(replica_id, doc, "started_s", 0.0),
        url=codec.text_or_none(doc, "url"),
    )
