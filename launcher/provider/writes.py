"""What is written for the provider as a whole; pure."""

from remuda.model.component import PoolComponent, encode_pool
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, Set


def publish(provider: str, status: bytes) -> list[Op]:
    """Tell the others our status; the last writer wins, for only one replica is to tell it."""
    return [Set(path=paths.status(provider), data=status, version=-1)]


def drop_permit(provider: str, version: int) -> list[Op]:
    """Remove an operator's permission to sweep."""
    return [Delete(path=paths.sweep_permit(provider), version=version)]


def permit(provider: str, record: bytes, version: int | None) -> list[Op]:
    """Write an operator's permission to sweep over the one in *version*; None: there is none."""
    path = paths.sweep_permit(provider)
    if version is None:
        return [Create(path=path, data=record)]
    return [Set(path=path, data=record, version=version)]


def offer(hostname: str, pool: PoolComponent) -> Create:
    """Return what is to be seen of one of our pools, as long as our session lives."""
    path, data = f"{paths.POOL_COMPONENTS}/{hostname}", encode_pool(pool)
    return Create(path=path, data=data, ephemeral=True, sequence=True)


def forget(path: str) -> list[Op]:
    """Remove what nobody needs any more, whatever it says by now."""
    return [Delete(path=path)]


def keep_evidence(path: str, record: bytes) -> list[Op]:
    """Keep the evidence of a failed launch, or another capsule."""
    return [Create(path=path, data=record)]


def renew_evidence(path: str, record: bytes) -> list[Op]:
    """Write it once more, with what is known by now; who owns the machine has the last word."""
    return [Set(path=path, data=record, version=-1)]


def draw_ids(blocks: int) -> list[Op]:
    """Draw node ids: the version that each operation leaves is the number of a block of them."""
    return [Set(path=paths.NODE_COUNTER, data=b"", version=-1)] * blocks
