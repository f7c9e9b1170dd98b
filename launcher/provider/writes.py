"""What is written for the provider as a whole; pure."""

from remuda.store import paths
from remuda.store.api import Op, Set


def publish(provider: str, status: bytes) -> list[Op]:
    """Tell the others our status; the last writer wins, for only one replica is to tell it."""
    return [Set(path=paths.status(provider), data=status, version=-1)]
