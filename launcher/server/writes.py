"""What the actions on servers write in ZooKeeper; pure."""

from remuda.store import paths
from remuda.store.api import Delete, Op


def drop_permit(provider: str, version: int) -> list[Op]:
    """Remove an operator's permission to sweep."""
    return [Delete(path=paths.sweep_permit(provider), version=version)]
