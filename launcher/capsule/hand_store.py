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
        """Store one where it is not yet, and write into its record where it lies, or why not."""
        data, tries = pack(replace(action.capsule, kept=())), action.tries + 1
        there = {one.store: one for one in action.capsule.kept if one.why is None}
        asked = {
            one.kind: replace(one.put(self.provider, action.node, data), tries=tries)
            for one in self.stores
            if one.kind not in there
        }
        after = replace(action.capsule, kept=tuple({**there, **asked}.values()))
        self.records.keep(in_record(after))
        return CapsuleStored(
            node=action.node, capsule=after, asked=tuple(asked.values()), tries=tries
        )
