"""Writing the log of a build: what it prints, masked, into ZooKeeper and into a file.

Whoever works on the build calls from its own thread and never waits for ZooKeeper: a thread of
the log's writes what has come, once a second at most. While ZooKeeper is away the log is kept here,
as much of it as would be kept there.
"""

import codecs
import logging
import threading
from dataclasses import replace
from pathlib import Path
from typing import Final

from builder.log.log_file import LogFile
from builder.log.mask import StreamMasker
from builder.log.pages import LogPages
from builder.log.publisher import LogLostError, LogPublisher
from builder.log.writes import LogState
from remuda.images.buildlog import (
    MAKING_ROOM,
    STEP_CHARS_MAX,
    STEPS_MAX,
    TRIAL_ROOM,
    LogStep,
    Progress,
)
from remuda.model.image import BuildId
from remuda.redaction import redact_text
from remuda.runtime.clock import Clock, SystemClock
from remuda.store.api import Store, StoreError

log = logging.getLogger(__name__)

#: ZooKeeper is no place for a stream.
INTERVAL_S: Final = 1.0
#: After the end, for what ZooKeeper does not have yet.
_LAST_WORDS_S: Final = 60.0
#: Output that comes faster than it can be masked is of no use to anybody: when file and beginning
#: are full, only the last of it is.
_FLOOD_CHARS_MAX: Final = 256 * 1024
_FLOOD_CHARS_KEPT: Final = 160 * 1024


class BuildLog:
    """The log of one attempt at a build, or a trial. Thread-safe; nothing that it is told ends it.

    Args:
        store: Where it goes.
        build_id: Which build; its record must be there, and the log ends with it.
        writer: Who writes; another value for each attempt, or readers would mix them up.
        folder: Where the complete log goes (:mod:`builder.log.log_file`); None: nowhere.
        provider: Where a trial is made; None: it is the build's own log.
        clock: For the times of steps.
        interval_s: Between two writes to ZooKeeper, at least.
    """

    def __init__(
        self,
        store: Store,
        build_id: BuildId,
        *,
        writer: str,
        folder: Path | None = None,
        provider: str | None = None,
        clock: Clock | None = None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._clock = clock or SystemClock()
        self._interval_s = interval_s
        self._publisher = LogPublisher(store, build_id, provider)
        self._file = None
        if folder is not None:
            self._file = LogFile(folder, build_id, now_s=self._clock.now_s())
        self._changed = threading.Condition()
        self._pages = LogPages(MAKING_ROOM if provider is None else TRIAL_ROOM)
        self._masker = StreamMasker()
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._flood: list[str] = []
        self._flood_chars = 0
        self._progress = Progress(writer=writer)
        self._begun_s = self._clock.monotonic_s()
        self._edition, self._told = 1, 0
        self._ended = False
        self._thread = threading.Thread(
            target=self._publish, name=f"log of {build_id}", daemon=True
        )
        self._thread.start()

    def step(self, name: str) -> None:
        """Say that a step begins, and so that the one before is done."""
        with self._changed:
            if self._ended:
                return
            self._flush()
            self._end_step(ok=True)
            self._begun_s = self._clock.monotonic_s()
            shown = redact_text(name[:STEP_CHARS_MAX])[:STEP_CHARS_MAX]
            if self._file is not None:
                self._file.write(f"== {shown} ==\n".encode(errors="replace"))
            now_s = self._clock.now_s()
            steps = (*self._progress.steps, LogStep(name=shown, at=self._pages.size, since_s=now_s))
            lost = len(steps) - len(steps[-STEPS_MAX:])
            self._progress = replace(
                self._progress,
                steps=steps[-STEPS_MAX:],
                steps_dropped=self._progress.steps_dropped + lost,
            )
            self._wake()

    def write(self, data: bytes) -> None:
        """Take what the step prints."""
        with self._changed:
            if self._ended:
                return
            text = self._decoder.decode(data)
            if self._pages.head_full and (self._file is None or self._file.full):
                self._pour(text)
            else:
                self._take(self._masker.feed(text))
            self._wake()

    def close(self, *, ok: bool | None = None) -> None:
        """End the log; what ZooKeeper does not have yet follows within a minute, or never.

        Args:
            ok: Whether the last step was done, if that is known.
        """
        with self._changed:
            if self._ended:
                return
            self._flush()
            self._end_step(ok=ok)
            self._progress = replace(self._progress, ended_s=self._clock.now_s())
            self._ended = True
            if self._file is not None:
                self._file.close()
            self._wake()

    def settle(self, timeout_s: float) -> bool:
        """Wait until a closed log is in ZooKeeper, or given up; return whether that is so."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- what comes in; all below the lock -----------------------------------------------------

    def _wake(self) -> None:
        self._edition += 1
        self._changed.notify_all()

    def _take(self, shown: str) -> None:
        data = shown.encode(errors="replace")
        self._pages.append(data)
        if self._file is not None:
            self._file.write(data)

    def _flush(self) -> None:
        """Let nothing be held back: what comes next is of another step."""
        self._drain()
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        self._take(self._masker.feed(rest) + self._masker.rest())

    def _end_step(self, *, ok: bool | None) -> None:
        step = self._progress.step
        if step is not None:
            seconds = max(0.0, self._clock.monotonic_s() - self._begun_s)
            done = replace(step, seconds=seconds, ok=ok)
            self._progress = replace(self._progress, steps=(*self._progress.steps[:-1], done))

    def _pour(self, text: str) -> None:
        """Take what is mostly dropped: it is masked when it is written only."""
        self._flood.append(text)
        self._flood_chars += len(text)
        if self._flood_chars <= _FLOOD_CHARS_MAX:
            return
        all_of_it = "".join(self._flood)
        # Never within a line: half a secret is not known.
        end = all_of_it.find("\n", len(all_of_it) - _FLOOD_CHARS_KEPT) + 1
        if end:
            self._pages.skip(self._masker.forget() + end)
            self._flood, self._flood_chars = [all_of_it[end:]], len(all_of_it) - end
        else:
            self._drain()

    def _drain(self) -> None:
        flood, self._flood, self._flood_chars = "".join(self._flood), [], 0
        if flood:
            self._take(self._masker.feed(flood))

    # -- what goes out -------------------------------------------------------------------------

    def _publish(self) -> None:
        give_up_s: float | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._edition > self._told or self._ended)
                if self._ended and give_up_s is None:
                    give_up_s = self._clock.monotonic_s() + _LAST_WORDS_S
                self._drain()
                edition = self._edition
                state = self._state()
            try:
                self._publisher.write(state)
            except LogLostError as error:
                log.warning("buildlog.lost cause=%s", error)
                return
            except StoreError as error:
                if give_up_s is not None and self._clock.monotonic_s() >= give_up_s:
                    log.warning("buildlog.unfinished cause=%s", error)
                    return
                self._pause(even_at_end=True)
                continue
            with self._changed:
                self._told = edition
                if self._ended and self._edition == edition:
                    return
            self._pause(even_at_end=False)

    def _pause(self, *, even_at_end: bool) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended and not even_at_end, timeout=self._interval_s
            )

    def _state(self) -> LogState:
        progress = replace(self._progress, size=self._pages.size, dropped=self._pages.dropped)
        return LogState(progress=progress, parts=dict(self._pages.parts))
