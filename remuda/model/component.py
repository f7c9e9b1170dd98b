"""Who is there: pool components (shared format) and our own replicas; both are ephemeral."""

from dataclasses import dataclass

from remuda.model import codec
from remuda.model.fields import LINE_CHARS_MAX, NAMES_MAX, Fields
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
    fields = Fields(path, codec.parse(path, raw))
    return PoolComponent(
        id=fields.text("id", LINE_CHARS_MAX),
        hostname=fields.sloppy_text("hostname", LINE_CHARS_MAX) or "",
        provider=fields.text("provider_name"),
        pool=fields.sloppy_text("name") or "",
        labels=fields.texts("supported_labels", NAMES_MAX),
        priority=fields.rank("priority", 100),
        paused=bool(fields.doc.get("paused")),
        state=fields.sloppy_text("state") or "running",
        version=fields.sloppy_text("version") or "",
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
    fields = Fields(replica_id, codec.parse(replica_id, raw))
    return Replica(
        id=replica_id,
        hostname=fields.maybe_text("hostname", LINE_CHARS_MAX) or "?",
        pid=fields.count("pid", 0),
        version=fields.maybe_text("version") or "",
        started_s=fields.number("started_s", 0.0),
        url=fields.maybe_text("url", LINE_CHARS_MAX),
    )


def unreadable_replica(replica_id: ReplicaId) -> Replica:
    """Return a replica of which no more is known than that it lives: its znode is there."""
    return Replica(id=replica_id, hostname="?", pid=0, version="", started_s=0.0)
