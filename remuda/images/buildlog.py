"""The log of a build, in ``/remuda/image-logs/<image>/<number>``: progress, and what it printed.

The znode holds the progress, its children are parts of the output, named by where they begin.
Trials of the build have logs of their own below it, of the same form and smaller, by provider.
Of long output the beginning and the end are kept. What lies between is dropped, and that is said.
The output is text of strangers, with known secrets masked; whoever shows it must not let it steer
a terminal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from remuda.model import codec
from remuda.model.fields import COUNT_MAX, Fields, safe
from remuda.model.image import BuildId
from remuda.store import paths
from remuda.store.api import (
    Delete,
    MissingError,
    NotEmptyError,
    Op,
    StaleWriteError,
    Store,
    Stored,
)

SCHEMA: Final = 1
#: A part is written anew while it grows, at most once a second.
PART_BYTES: Final = 16 * 1024
#: Of any log; more parts than that are none of ours.
_PARTS_MAX: Final = 17
#: Steps that are remembered, the last ones; a recipe has some dozens.
STEPS_MAX: Final = 200
STEP_CHARS_MAX: Final = 200
#: Somebody writes the log while it is erased; more often than this is no accident.
_ERASE_ATTEMPTS_MAX: Final = 5


class Room(NamedTuple):
    """How many parts of a log are kept of its beginning, and of its end."""

    head_parts: int
    tail_parts: int


MAKING_ROOM: Final = Room(8, 8)
#: Of each provider; a trial prints reports, and the end of its machine's console log. The last part
#: may have just begun, so that one alone might hold next to nothing.
TRIAL_ROOM: Final = Room(1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStep:
    """One step of a build.

    Attributes:
        at: Where its output begins, bytes from the beginning of all output.
        since_s: When it began, seconds since the epoch.
        seconds: How long it took; None: it is under way.
        ok: Whether it was done; None: it is under way, or nobody said.
    """

    name: str
    at: int
    since_s: float
    seconds: float | None = None
    ok: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a build has come.

    Attributes:
        writer: Whoever writes the log; another one begins it anew.
        size: Bytes of output so far, dropped ones too.
        dropped: Bytes that are kept nowhere in ZooKeeper.
        steps: In order; the last one is under way unless it has ended.
        steps_dropped: How many came before these.
        ended_s: When the log was closed, or None.
    """

    writer: str
    size: int = 0
    dropped: int = 0
    steps: tuple[LogStep, ...] = ()
    steps_dropped: int = 0
    ended_s: float | None = None

    @property
    def step(self) -> LogStep | None:
        """The step that is under way, or None."""
        last = self.steps[-1] if self.steps else None
        return last if last is not None and last.seconds is None else None


def encode_progress(progress: Progress) -> bytes:
    """Serialise; the pair of :func:`decode_progress`."""
    now = progress.step
    return codec.dump(
        {
            "schema": SCHEMA,
            "writer": progress.writer,
            "step": None if now is None else safe(now.name, STEP_CHARS_MAX),
            "since_s": None if now is None else now.since_s,
            "steps": [_step_doc(one) for one in progress.steps[-STEPS_MAX:]],
            "steps_dropped": progress.steps_dropped,
            "bytes": progress.size,
            "bytes_dropped": progress.dropped,
            "ended_s": progress.ended_s,
        }
    )


def _step_doc(step: LogStep) -> dict[str, Any]:
    return {
        "name": safe(step.name, STEP_CHARS_MAX),
        "at": step.at,
        "since_s": step.since_s,
        "seconds": step.seconds,
        "ok": step.ok,
    }


def decode_progress(build_id: BuildId, raw: bytes) -> Progress:
    """Rebuild the progress of a build.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"log of {build_id}"
    fields = Fields(name, codec.parse(name, raw))
    fields.check_schema(SCHEMA)
    return Progress(
        writer=fields.text("writer"),
        size=fields.count("bytes", 0),
        dropped=fields.count("bytes_dropped", 0),
        steps=tuple(_step(one) for one in fields.listed("steps", STEPS_MAX)),
        steps_dropped=fields.count("steps_dropped", 0),
        ended_s=fields.maybe_number("ended_s"),
    )


def _step(part: Fields) -> LogStep:
    ok = part.doc.get("ok")
    if ok is not None and not isinstance(ok, bool):
        raise part.refuse("ok", "true or false")
    return LogStep(
        name=part.prose("name", STEP_CHARS_MAX) or "?",
        at=part.count("at", high=COUNT_MAX),
        since_s=part.number("since_s"),
        seconds=part.maybe_number("seconds"),
        ok=ok,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """A log as it was read, which is not at one instant: parts may be newer than the progress.

    Attributes:
        parts: By where they begin, in order.
    """

    progress: Progress
    parts: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heading:
    """A step begins."""

    step: LogStep


@dataclass(frozen=True, slots=True)
class Output:
    """What the build printed, as it came; a character may be cut at either end."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """About so many bytes were dropped here."""

    size: int


@dataclass(frozen=True, slots=True)
class Anew:
    """Another builder has begun the build anew; what was told before is gone."""


Piece = Heading | Output | Gap | Anew


class LogTeller:
    """Turns views of a log into pieces; each later view yields what the ones before did not."""

    def __init__(self) -> None:
        """Begin at the beginning."""
        self._writer: str | None = None
        self._at = 0
        self._steps = 0

    def news(self, view: LogView) -> Iterator[Piece]:
        """Yield what is new in a later view of the same log."""
        if self._writer != view.progress.writer:
            if self._writer is not None:
                yield Anew()
            self._writer, self._at, self._steps = view.progress.writer, 0, 0
        last = max(view.parts, default=0)
        for start in sorted(view.parts):
            data = view.parts[start]
            if start > self._at:
                yield from self._headings(view.progress, start - 1)
                yield Gap(start - self._at)
                self._at = start
            if start + len(data) > self._at:
                yield from self._output(view.progress, data[self._at - start :])
            if len(data) < PART_BYTES and start != last:
                return  # it has grown since it was read: the next view has it whole
        # One whose step begins at the end of the output has printed nothing yet.
        yield from self._headings(view.progress, self._at)

    def _output(self, progress: Progress, data: bytes) -> Iterator[Piece]:
        end = self._at + len(data)
        while self._at < end:
            yield from self._headings(progress, self._at)
            after = self._next_step(progress)
            stop = end if after is None else min(end, max(after.at, self._at + 1))
            yield Output(data[len(data) - (end - self._at) : len(data) - (end - stop)])
            self._at = stop

    def _headings(self, progress: Progress, up_to: int) -> Iterator[Piece]:
        while (step := self._next_step(progress)) is not None and step.at <= up_to:
            self._steps += 1
            yield Heading(step)

    def _next_step(self, progress: Progress) -> LogStep | None:
        self._steps = max(self._steps, progress.steps_dropped)
        index = self._steps - progress.steps_dropped
        return progress.steps[index] if index < len(progress.steps) else None


def read_progress(store: Store, build_id: BuildId, provider: str | None = None) -> Progress | None:
    """Return how far a build, or its trial in a provider, has come; None: it has no log.

    Raises:
        CorruptRecordError: If that is not readable.
        StoreAwayError: If ZooKeeper does not answer.
    """
    stored = store.read(paths.image_log(build_id, provider))
    if stored is None or not stored.value:
        return None
    return decode_progress(build_id, stored.value)


def read_log(store: Store, build_id: BuildId, provider: str | None = None) -> LogView | None:
    """Return the log of a build, or of its trial in a provider; None: it has none.

    Raises:
        CorruptRecordError: If its progress is not readable.
        StoreAwayError: If ZooKeeper does not answer.
    """
    progress = read_progress(store, build_id, provider)
    while progress is not None:
        parts = read_parts(store, build_id, provider)
        before, progress = progress, read_progress(store, build_id, provider)
        # Another writer begins with nothing: its progress tells nothing of parts of the one before.
        if progress is not None and progress.writer == before.writer:
            texts = {one * PART_BYTES: parts[one].value[:PART_BYTES] for one in sorted(parts)}
            return LogView(progress=progress, parts=texts)
    return None


def read_parts(
    store: Store, build_id: BuildId, provider: str | None = None
) -> dict[int, Stored[bytes]]:
    """Return the parts of a log by their index; other children are left out."""
    names = store.children(paths.image_log(build_id, provider))
    indices = [int(one) for one in names if one.isascii() and one.isdecimal() and len(one) == 8]  # noqa: PLR2004
    indices = indices[:_PARTS_MAX]
    found = store.read_many([paths.image_log_part(build_id, one, provider) for one in indices])
    return {index: one for index, one in zip(indices, found, strict=True) if one is not None}


def erase_log(store: Store, build_id: BuildId) -> None:
    """Delete all logs of a build; to be done before its record goes, or nobody finds them any more.

    Raises:
        StoreAwayError: If ZooKeeper does not answer.
        RejectedError: If somebody writes it all the time.
    """
    path = paths.image_log(build_id)
    for attempt in range(_ERASE_ATTEMPTS_MAX):
        below = [f"{path}/{name}" for name in store.children(path)]
        parts = [f"{one}/{name}" for one in below for name in store.children(one)]
        stored = store.read(path)
        if stored is None:
            return
        ops: list[Op] = [Delete(path=one) for one in (*parts, *below)]
        try:
            store.commit([*ops, Delete(path=path, version=stored.version)])
        except (MissingError, NotEmptyError, StaleWriteError):
            if attempt + 1 == _ERASE_ATTEMPTS_MAX:
                raise
        else:
            return
