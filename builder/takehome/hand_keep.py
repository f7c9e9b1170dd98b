"""The hand that answers whether a take-home image is kept for longer: on record, then on the image.

What stands on the image is for people; its end is what the record says.
"""

from dataclasses import dataclass, replace

from builder.hands.held_record import HeldRecord, TakenOverError, hold_take_home
from builder.place.hand_delete import SparedError, find_image
from builder.place.sites import Sites, call_fence
from builder.takehome.events import TakeHomeEnded
from builder.takehome.marks import node_of
from builder.takehome.tasks import TakeHomeTask
from builder.takehome.writes import answer
from remuda.cloud.api import CloudError
from remuda.cloud.image_store import ImageEdit
from remuda.config.takehomes import SnapshotRules
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.takehome import EndWish, MoreTime, TakeHome, TakeHomeState, decode_end_wish
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import HandStoppedError, Waiting
from remuda.store import paths
from remuda.store.api import Store, Stored, StoreError


@dataclass(frozen=True, slots=True)
class KeepingHand:
    """Answers one wish at a time.

    Attributes:
        installation: Whose images are ours.
        sites: Where images lie.
    """

    store: Store
    clock: Clock
    installation: str
    sites: Sites

    def keep(self, task: TakeHomeTask, rules: SnapshotRules) -> TakeHomeEnded:
        """Answer what is wished this very moment; nothing if it is nothing any more."""
        node = task.record.value.node
        record = hold_take_home(self.store, Waiting(self.clock, task.stop.is_set), task.record)
        try:
            (stored,) = self.store.read_fresh([paths.take_home_end(node)])
            wish = None if stored is None else decode_end_wish(node, stored.value)
            if stored is None or wish is None or wish.token is None:
                return TakeHomeEnded(id=node)
            self._answer(record, stored, wish, rules)
            self._show(record.value)
        except (
            *(SparedError, CloudError, StoreError, TakenOverError, HandStoppedError),
            CorruptRecordError,
        ) as exc:
            return TakeHomeEnded(id=node, why=str(exc))
        return TakeHomeEnded(id=node)

    def _answer(
        self,
        record: HeldRecord[TakeHome],
        stored: Stored[bytes],
        wish: EndWish,
        rules: SnapshotRules,
    ) -> None:
        def after(one: TakeHome) -> TakeHome:
            ends_s, refused = rules.longer(one, wish, now_s=self.clock.now_s())
            told = MoreTime(token=wish.token or "", by=wish.by, at_s=wish.at_s, refused=refused)
            return replace(one, ends_s=ends_s, more=told)

        record.commit(lambda before: answer(before, after(before.value), stored))

    def _show(self, one: TakeHome) -> None:
        """Write the end on the image, for whoever sees it in the cloud."""
        more = one.more
        if more is None or more.refused is not None or one.state is not TakeHomeState.WHOLE:
            return
        here = self.sites.of(one.provider)
        image = find_image(here, one.place or "", one.cloud_image or "")
        if image is None or node_of(image, self.installation) != one.node:
            return
        edit = ImageEdit(properties={tags.ENDS: str(round(one.ends_s or 0.0))})
        here.images.edit_image(image.id, edit, fence=call_fence(self.store, self.clock))
