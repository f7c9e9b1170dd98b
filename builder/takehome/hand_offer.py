"""Offering a whole image to whom it is for: a project, or everybody, as far as the cloud lets us.

What the cloud refuses costs no image: it is said, and the image stays ours alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from builder.build.hand_snapshot import EDIT_S_MAX, again
from remuda.cloud.api import CloudError, Fence
from remuda.cloud.image_store import ImageEdit, ImageStore, Visibility
from remuda.model import tags
from remuda.model.holdwish import SnapshotWish
from remuda.runtime.waiting import Waiting

COMMUNITY: Final = (
    "the cloud lets us make it no more than 'community': everybody who knows its id boots it, and "
    "no listing shows it"
)


@dataclass(slots=True, kw_only=True)
class Offering:
    """What came of it.

    Attributes:
        shared: Whether others may boot it as was wished.
        trouble: What is not as wished, or None.
    """

    images: ImageStore
    waiting: Waiting
    fence: Callable[[], Fence]
    shared: bool = False
    trouble: str | None = None

    def show(self, image_id: str, ends_s: float) -> None:
        """Let it be found in listings, with its end on it; raises CloudError.

        Our own launchers find it by its id only: what has such tags has no name for them.
        """
        edit = ImageEdit(hidden=False, properties={tags.ENDS: str(round(ends_s))})
        self._again(lambda: self.images.edit_image(image_id, edit, fence=self.fence()))

    def offer(self, image_id: str, wish: SnapshotWish) -> None:
        """Let those boot it whom the wish names."""
        try:
            if wish.share_with is not None:
                self._share(image_id, wish.share_with)
            elif wish.public:
                self._publish(image_id)
        except CloudError as exc:
            self.trouble = f"it is not shared: {exc}"

    def _share(self, image_id: str, project: str) -> None:
        self._see(image_id, Visibility.SHARED)
        self._again(lambda: self.images.share(image_id, project, fence=self.fence()))
        self.shared = True

    def _publish(self, image_id: str) -> None:
        try:
            self._see(image_id, Visibility.PUBLIC)
        except CloudError:
            self._see(image_id, Visibility.COMMUNITY)
            self.trouble = COMMUNITY
        self.shared = True

    def _see(self, image_id: str, visibility: Visibility) -> None:
        self._again(lambda: self.images.set_visibility(image_id, visibility, fence=self.fence()))

    def _again(self, call: Callable[[], object]) -> None:
        again(call, self.waiting, ends_s=self.waiting.clock.monotonic_s() + EDIT_S_MAX)
