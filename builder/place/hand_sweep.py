"""The hand that deletes images with our tags that two listings show and no record knows."""

from dataclasses import dataclass

from builder.place import sweep
from builder.place.actions import SweepImage
from builder.place.events import SweepEnded
from builder.place.hand_delete import (
    SparedError,
    check_installation,
    check_marks,
    delete,
    find_image,
    read_installation,
)
from builder.place.sites import Site, Sites
from builder.place.view import ListedImage
from builder.view import WorldView
from remuda.cloud.api import CloudError
from remuda.images import library
from remuda.images.library import Library
from remuda.model import tags
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import ReplicaId
from remuda.runtime.clock import Clock
from remuda.store.api import Store, StoreError


@dataclass(frozen=True, slots=True)
class SweepingHand:
    """Deletes one image at a time.

    Attributes:
        installation: Whose images are ours.
        sites: Where images lie.
    """

    store: Store
    clock: Clock
    installation: str
    sites: Sites

    def sweep(
        self, action: SweepImage, image: ListedImage, provider: str, *, listed_s: float
    ) -> SweepEnded:
        """Delete an image of ours that two listings show and no record knows.

        Args:
            action: Which.
            image: As the last listing of its place shows it.
            provider: One of its place.
            listed_s: When the first of the two listings was begun, wall clock.
        """
        try:
            self._sweep(action, image, self.sites.of(provider), listed_s)
        except (SparedError, CloudError, StoreError, CorruptRecordError) as exc:
            return SweepEnded(action=action, why=str(exc))
        return SweepEnded(action=action)

    def _sweep(self, action: SweepImage, one: ListedImage, here: Site, listed_s: float) -> None:
        if one.id != action.cloud_image:
            raise SparedError(f"it was listed as {one.id}")
        # After the listings: whoever made it since then has a record of it.
        view = self._view(library.read(self.store))
        if sweep.expected(view, action.place, one, listed_s=listed_s):
            raise SparedError(f"a record of {one.build} may know it")
        check_installation(read_installation(self.store), self.installation)
        image = find_image(here, action.place, action.cloud_image)
        if image is None:
            return
        check_marks(image, one.build, self.installation)
        # A project may be two places, if somebody calls its region otherwise: each has its own.
        maker = image.properties.get(tags.PROVIDER)
        if image.name != one.name or maker not in self._providers(action.place):
            raise SparedError(f"it is {image.name!r} of {maker}, which does not lie here")
        delete(here, image, self.store, self.clock)

    def _providers(self, place: str) -> set[str]:
        return {one.provider for one in self.sites.at(place)}

    def _view(self, known: Library) -> WorldView:
        return WorldView(
            now_s=self.clock.now_s(),
            me=ReplicaId(""),
            builders=frozenset(),
            mine=lambda _thing: False,
            library=known,
        )
