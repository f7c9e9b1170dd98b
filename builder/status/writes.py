"""What is written to be seen."""

from remuda.model.ids import ReplicaId
from remuda.store import paths
from remuda.store.api import Op, Set


def published(me: ReplicaId, data: bytes) -> list[Op]:
    """Return what replaces the words in our ephemeral; nobody else writes it."""
    return [Set(path=paths.builder(me), data=data, version=-1)]
