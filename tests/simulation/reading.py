"""What is on record of images, as the librarian reads it."""

from dataclasses import dataclass

from remuda.images import library
from remuda.images.library import Library
from remuda.store import paths
from tests.fakes.store import FakeStore


@dataclass(slots=True)
class Reader:
    """Reads everything by the real code, and again only if some of it was written since.

    Most looks of a librarian are at what nobody has touched.
    """

    store: FakeStore
    _last: Library | None = None

    @property
    def holds(self) -> bool:
        """Whether the last reading holds still."""
        return self._last is not None

    def fresh(self) -> Library:
        """Return what is on record at this moment."""
        if self._last is None:
            self._last = library.read(self.store)
        return self._last

    def written(self, path: str) -> None:
        """Hear of what is written: the last reading is old if that is part of it."""
        of_images = path.startswith(paths.IMAGES)
        if of_images or (path.startswith(paths.PROVIDERS) and paths.leads_to_launches(path)):
            self._last = None
