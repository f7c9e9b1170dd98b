"""Records that are set aside: told once, counted always, and never more than memory allows.

Anybody who may write to ZooKeeper may write anything, as often as he likes.
"""

import traceback
from dataclasses import dataclass, field
from typing import Final

from remuda.metrics.sink import Metrics
from remuda.model.codec import ZNODE_CHARS_MAX, CorruptRecordError
from remuda.runtime.log import Log
from remuda.store import paths

#: Further warnings would tell nobody anything new; the metric goes on counting.
WARNINGS_MAX: Final = 1000
_TRACE_LINES_MAX: Final = 20
_KINDS: Final = (
    (paths.REQUESTS, "request"),
    (paths.NODES, "node"),
    (paths.STATUSES, "status"),
    (paths.REPLICAS, "replica"),
    (paths.POOL_COMPONENTS, "pool"),
    (paths.AUTOHOLDS, "autohold"),
)
_OURS: Final = {"launches": "launch", "claims": "claim", "sweep": "permit"}
#: Below an image: the name of the folder that a record lies in, and what it is.
_OF_IMAGES: Final = {"builds": "build", "uploads": "upload", "pointers": "pointer"}


@dataclass(slots=True)
class SetAside:
    """Tells of records that cannot be used."""

    log: Log
    metrics: Metrics
    _told: set[int] = field(default_factory=set)

    def corrupt(self, path: str, exc: CorruptRecordError) -> None:
        """A record is not what it should be: one warning for each record and complaint."""
        self.metrics.count_record_set_aside(kind_of(path))
        if self._is_news(path, exc.why):
            self.log.warning("record.set-aside", path=path[:ZNODE_CHARS_MAX], why=str(exc))

    def closed(self, path: str) -> None:
        """A record's access control list does not let us in: one warning for each record."""
        self.metrics.count_record_set_aside(kind_of(path))
        why = "its access control list does not let us in: it is left alone until that is mended"
        if self._is_news(path, why):
            self.log.warning("record.set-aside", path=path[:ZNODE_CHARS_MAX], why=why)

    def no_room(self, path: str) -> None:
        """A record is one too many to be looked at: one warning for each record."""
        self.metrics.count_record_set_aside(kind_of(path))
        why = "there are too many: it waits until older ones are removed"
        if self._is_news(path, why):
            self.log.warning("record.set-aside", path=path[:ZNODE_CHARS_MAX], why=why)

    def unforeseen(self, path: str) -> None:
        """A record met an error that is our own bug; call it while that is handled."""
        self.metrics.count_record_error(kind_of(path))
        trace = traceback.format_exc(limit=_TRACE_LINES_MAX)
        if self._is_news(path, trace):
            self.log.error("record.unforeseen", path=path[:ZNODE_CHARS_MAX], why=trace)

    def _is_news(self, path: str, complaint: str) -> bool:
        # A client may rewrite it again and again. A hash is as good as the text, and small.
        key = hash((path, complaint))
        if key in self._told or len(self._told) >= WARNINGS_MAX:
            return False
        self._told.add(key)
        if len(self._told) == WARNINGS_MAX:
            self.log.warning("record.set-aside-too-many", warnings=WARNINGS_MAX)
        return True


def kind_of(path: str) -> str:
    """Return what should lie at *path*, for metrics."""
    if path.startswith(f"{paths.PROVIDERS}/"):
        place = path.removeprefix(f"{paths.PROVIDERS}/").split("/")[1:2]
        return _OURS.get("".join(place), "other")
    if path.startswith(f"{paths.IMAGES}/"):
        folders = path.removeprefix(f"{paths.IMAGES}/").split("/")
        return "image" if len(folders) == 1 else _OF_IMAGES.get(folders[-2], "other")
    return next((kind for root, kind in _KINDS if path.startswith(f"{root}/")), "other")
