"""What is written for the provider as a whole; pure."""

from remuda.store import paths
from remuda.store.api import Delete, Op, Set


def publish(provider: str, status: bytes) -> list[Op]:
    """Tell the others our status; the last writer wins, for only one replica is to tell it."""
    return [Set(path=paths.status(provider), data=status, version=-1)]


def drop_permit(provider: str, version: int) -> list[Op]:
    """Remove an operator's permission to sweep."""
    return [Delete(path=paths.sweep_permit(provider), version=version)]
