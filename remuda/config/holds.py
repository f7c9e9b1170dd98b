"""Held nodes: what may become of machines that are kept for people."""

from pydantic import Field

from remuda.config.base import Section
from remuda.config.snapshots import SnapshotsFrom


class HoldsFrom(Section):
    """Nodes that are held for people."""

    snapshots: SnapshotsFrom | None = Field(
        default=None,
        description="Held machines that become images of their developers; null: none does.",
    )
