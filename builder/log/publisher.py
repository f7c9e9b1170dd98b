"""Bringing what is kept of a log into ZooKeeper: all that has changed, in one transaction.

The progress of a log is written with each transaction and names its writer. Whoever begins a log
takes it over, and the writer before finds that out at its next write.
"""

from builder.log.writes import LogState, LogThere, write_log
from remuda.images.buildlog import decode_progress, read_parts
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import RejectedError, Store


class LogLostError(Exception):
    """The log is somebody else's now, or gone with its build: nothing more is to be written."""


class LogPublisher:
    """Writes one log; for one thread, which may wait for the store."""

    def __init__(self, store: Store, build_id: BuildId, provider: str | None = None) -> None:
        self._store = store
        self._id = build_id
        self._provider = provider
        self._path = paths.image_log(build_id, provider)
        self._ours = False
        # What is there as far as we know: None: it has to be read.
        self._version: int | None = None
        self._known = False
        self._there: dict[int, tuple[int, int]] = {}

    def write(self, state: LogState) -> None:
        """Make the log in ZooKeeper like *state*.

        Raises:
            LogLostError: If it is not to be written any more.
            StoreError: If it was not written, or nobody knows: to be tried again.
        """
        if not self._known:
            self._read(state.progress.writer)
        ops, lengths = write_log(
            LogThere(
                build=self._id,
                provider=self._provider,
                version=self._version,
                ours=self._ours,
                parts=self._there,
            ),
            state,
        )
        # Until there is an answer, what is there is not known.
        self._known = False
        try:
            done = self._store.commit(ops)
        except RejectedError:
            self._read(state.progress.writer)
            raise
        versions = {one.path: one.version for one in done}
        self._ours, self._known = True, True
        self._version = versions[self._path]
        self._there = {
            index: (versions.get(self._part(index), version), length)
            for index, (version, length) in lengths.items()
        }

    def _part(self, index: int) -> str:
        return paths.image_log_part(self._id, index, self._provider)

    def _read(self, writer: str) -> None:
        """Learn what is there; whose log it is decides whether we go on."""
        self._store.ensure(paths.image_logs(self._id.image))
        found = self._store.read_fresh([self._path, paths.build(self._id)])
        if found[1] is None:
            raise LogLostError(f"build {self._id} is gone")
        if self._provider is not None:
            self._store.ensure(paths.image_log(self._id))
        there = found[0]
        if there is not None and there.value:
            mine = _writer(self._id, there.value) == writer
            if self._ours and not mine:
                raise LogLostError(f"another builder writes the log of {self._id}")
            self._ours = self._ours or mine
        elif self._ours:
            raise LogLostError(f"the log of {self._id} was erased")
        parts = read_parts(self._store, self._id, self._provider)
        self._version = None if there is None else there.version
        self._there = {one: (part.version, len(part.value)) for one, part in parts.items()}
        self._known = True


def _writer(build_id: BuildId, raw: bytes) -> str | None:
    try:
        return decode_progress(build_id, raw).writer
    except CorruptRecordError:
        return None
