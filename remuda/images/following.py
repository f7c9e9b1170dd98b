"""Following the log of a build until it has ended, whatever becomes of the session meanwhile."""

import threading
from collections.abc import Iterator
from typing import Final

from remuda.images.buildlog import LogTeller, LogView, Piece, read_log
from remuda.model.build import UNDER_WAY, decode_build
from remuda.model.codec import CorruptRecordError
from remuda.model.image import PLACE, BuildId, UploadId
from remuda.model.upload import decode_upload
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, StoreAwayError

#: Something may have been missed, or is not there to be watched yet.
LOOK_S: Final = 2.0
#: Lines that come one by one are read together.
_GATHER_S: Final = 0.2
#: A connection comes back within this, or somebody has to be told.
AWAY_S: Final = 60.0
#: After a build has ended, its log may still be on its way.
LATE_S: Final = 5.0


def _is_place(name: str) -> bool:
    return PLACE.fullmatch(name) is not None


class LogFollower:
    """Waits for what is new in the log of one build, or of its trial in a provider.

    Args:
        store: Where it is.
        build_id: Which build.
        clock: For the limits of waiting.
        provider: Where the trial is made; None: it is about the build's own log.
        look_s: Look again after this, whatever is heard.
    """

    def __init__(
        self,
        store: Store,
        build_id: BuildId,
        clock: Clock,
        *,
        provider: str | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._store = store
        self._id = build_id
        self._provider = provider
        self._clock = clock
        self._look_s = look_s
        self._news = threading.Event()
        self._watched = threading.Event()

    def pieces(self) -> Iterator[Piece]:
        """Yield what is there and what comes, until the build, the trial, or its log has ended.

        Raises:
            CorruptRecordError: If the log is not readable.
            StoreAwayError: If ZooKeeper stays away.
            StoreRefusedError: If it refuses us.
        """
        teller = LogTeller()
        seen_s = self._clock.monotonic_s()
        over_s: float | None = None
        while True:
            try:
                over = not self._under_way()
                view = self._look()
                seen_s = self._clock.monotonic_s()
            except StoreAwayError:
                if self._clock.monotonic_s() - seen_s > AWAY_S:
                    raise
                self._wait()
                continue
            if view is not None:
                yield from teller.news(view)
                if over and view.progress.ended_s is not None:
                    return
            if over:
                over_s = seen_s if over_s is None else over_s
                if view is None or seen_s - over_s > LATE_S:
                    return
            self._wait()

    def _under_way(self) -> bool:
        stored = self._store.read(paths.build(self._id))
        if stored is None:
            return False
        try:
            if decode_build(self._id, stored.value).state in UNDER_WAY:
                return True
        except CorruptRecordError:
            return True  # of another version, perhaps; the log says when it has ended
        return self._provider is not None and self._tried()

    def _tried(self) -> bool:
        """Whether the build is being tried in the provider, or somebody may know that it is."""
        places = [one for one in self._store.children(paths.uploads(self._id)) if _is_place(one)]
        some = [UploadId(self._id, one) for one in places]
        found = self._store.read_many([paths.upload(one) for one in some])
        for upload_id, one in zip(some, found, strict=True):
            try:
                if one and decode_upload(upload_id, one.value).trying == self._provider:
                    return True
            except CorruptRecordError:
                return True
        return False

    def _look(self) -> LogView | None:
        self._news.clear()
        if not self._watched.is_set():
            self._watch()
        return read_log(self._store, self._id, self._provider)

    def _watch(self) -> None:
        """Be told of the next change; a watch that has not fired yet is not set again."""
        self._watched.set()
        there = None
        try:
            there = self._store.watch_once(paths.image_log(self._id, self._provider), self._heard)
        finally:
            if there is None:
                self._watched.clear()

    def _heard(self) -> None:
        self._watched.clear()
        self._news.set()

    def _wait(self) -> None:
        if self._news.wait(self._look_s):
            self._news.clear()
            self._news.wait(_GATHER_S)
