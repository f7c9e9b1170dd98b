"""The hand that stores whole capsules; the machine waits for nothing of it."""

from dataclasses import dataclass, replace

from launcher.capsule.actions import StoreCapsule
from launcher.capsule.events import CapsuleStored
from launcher.capsule.hand_gather import in_record
from launcher.capsule.hand_places import CapsuleStore
from launcher.server.hand_records import Records
from remuda.model.capsulefile import pack


@dataclass(slots=True)
class StoreHands:
    """Stores capsules in every place that the configuration names.

    Attributes:
        stores: As the configuration says now.
    """

    records: Records
    stores: tuple[CapsuleStore, ...]
    provider: str

    def store(self, action: StoreCapsule) -> CapsuleStored:
        """Store one, and write into its record where it lies, or why not."""
        data = pack(action.capsule)
        kept = tuple(one.put(self.provider, action.node, data) for one in self.stores)
        self.records.keep(in_record(replace(action.capsule, kept=kept)))
        return CapsuleStored(node=action.node, kind=action.capsule.kind, kept=kept)
