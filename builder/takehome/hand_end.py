"""The hand that ends take-home images: deleted in their cloud, and then on record.

No record alone authorises it: the record is read anew, its time or somebody's word must say so this
moment, and the cloud must say by the image's own tags that it was made of that node, by us.
"""

from dataclasses import dataclass

from builder.hands.held_record import HeldRecord, TakenOverError, hold_take_home
from builder.place.hand_delete import (
    SparedError,
    check_installation,
    delete,
    find_image,
    read_installation,
)
from builder.place.sites import Site, Sites
from builder.takehome.events import TakeHomeEnded
from builder.takehome.lifecycle import end_of
from builder.takehome.marks import find, node_of
from builder.takehome.tasks import TakeHomeTask
from builder.takehome.writes import forget
from remuda.cloud.api import CloudError
from remuda.cloud.image_store import StoredImage
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.takehome import (
    TakeHome,
    TakeHomeEvent,
    TakeHomeState,
    WantedEnd,
    decode_end_wish,
)
from remuda.runtime.clock import Clock
from remuda.runtime.waiting import HandStoppedError, Waiting
from remuda.store import paths
from remuda.store.api import Store, Stored, StoreError


@dataclass(frozen=True, slots=True)
class EndingHand:
    """Ends one take-home image at a time.

    Attributes:
        installation: Whose images are ours.
        sites: Where images lie.
    """

    store: Store
    clock: Clock
    installation: str
    sites: Sites

    def end(self, task: TakeHomeTask) -> TakeHomeEnded:
        """Delete one, if it is over by what is on record this very moment."""
        node = task.record.value.node
        waiting = Waiting(self.clock, task.stop.is_set)
        record = hold_take_home(self.store, waiting, task.record)
        try:
            wished = self._condemn(record, task)
            self._erase(record.value)
            self.store.commit(forget(record.stored, wished=wished))
        except (SparedError, CloudError, StoreError, TakenOverError, HandStoppedError) as exc:
            return TakeHomeEnded(id=node, why=str(exc))
        return TakeHomeEnded(id=node)

    def _condemn(self, record: HeldRecord[TakeHome], task: TakeHomeTask) -> bool:
        """Write that it ends, if that is so; return whether there is a wish, which goes with it."""
        node = record.value.node
        (stored,) = self.store.read_fresh([paths.take_home_end(node)])
        ends_s, ending = end_of(record.value), record.value.state is TakeHomeState.ENDING
        over = ends_s is not None and self.clock.now_s() >= ends_s
        if not (over or ending or _wished(node, stored)):
            raise SparedError("its time is not over, and nobody wants it gone")
        record.write(
            lambda one: one.after(TakeHomeEvent.OVER, now_s=self.clock.now_s(), owner=task.me)
        )
        return stored is not None

    def _erase(self, one: TakeHome) -> None:
        """Delete the image in its cloud; return once it is gone."""
        if one.cloud_name is None:
            return  # nobody has asked for one
        here = self.sites.of(one.provider)
        image = self._find(here, one)
        if image is None:
            return
        if node_of(image, self.installation) != one.node:
            raise SparedError(f"the tags of image {image.id} do not name node {one.node}")
        check_installation(read_installation(self.store), self.installation)
        delete(here, image, self.store, self.clock)
        if self._find(here, one) is not None:
            raise SparedError(f"image {image.id} is being deleted")

    def _find(self, here: Site, one: TakeHome) -> StoredImage | None:
        if one.cloud_image is not None:
            return find_image(here, one.place or "", one.cloud_image)
        if why := here.elsewhere(one.place or ""):
            raise SparedError(why)
        found = find(here.images, one, self.installation)
        if found is None and self.clock.now_s() <= one.asked_by_s:
            raise SparedError("a call for its snapshot may still arrive")
        return found


def _wished(node: NodeId, stored: Stored[bytes] | None) -> bool:
    """Whether somebody wants it gone now; what nobody can read wishes nothing."""
    try:
        if stored is None:
            return False
        return decode_end_wish(node, stored.value).wants is WantedEnd.NOW
    except CorruptRecordError:
        return False
