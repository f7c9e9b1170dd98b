"""Keeps what a job left on its machines. Whatever fails here is said, and changes nothing else."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import fetch
from remuda.archive.places import opened
from remuda.archive.sink import SinkError
from remuda.archive.trees import TreeEntry
from remuda.archive.writer import GRACE_S, Archive, Archived
from remuda.cloud.api import CloudError
from remuda.runtime.clock import Clock
from remuda.ssh.errors import SshError
from requestor.commands.archive_options import ArchiveOrder
from requestor.commands.parallel import ParallelRun
from requestor.commands.streams import RunReporter

if TYPE_CHECKING:
    from remuda.cloud.objects import ObjectStore

log = logging.getLogger(__name__)

#: So many machines send at once.
_AT_ONCE: Final = 8
#: All of it ends by itself in time; what hangs so much longer, nobody waits for.
HANGING_S: Final = GRACE_S + 60.0
_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class JobArchiving:
    """How the machines of one run are archived.

    Attributes:
        start: What relative paths are relative to.
        objects: The object store, or None for a folder.
        about: What the manifest says of the run.
        stopped: A signal has asked us to end.
    """

    order: ArchiveOrder
    start: str
    objects: "ObjectStore | None"
    about: dict[str, Any]
    clock: Clock
    stopped: Callable[[], bool]

    def archive(self, parallel: ParallelRun, reporter: RunReporter) -> Archived:
        """Archive every machine of a run that has ended, and say and return what became of it.

        It raises nothing and ends in time, whatever hangs: the job's result is what counts.
        """
        done = self._in_time(parallel)
        if isinstance(done, str):
            done = _nothing(done)
        if done.url is None and not done.files:
            done = replace(done, why=done.why or "there is nothing to keep")
            sentence = f"nothing was archived: {done.why}"
        else:
            log.info("archived %d files in %s", done.files, done.place)
            sentence = _sentence(done)
        reporter.tell("archived", sentence, url=done.url, **_facts(done))
        return done

    def _in_time(self, parallel: ParallelRun) -> Archived | str:
        """Return what became of it, or why nothing did."""
        told: list[Archived | str] = []
        ended = threading.Event()

        def work() -> None:
            try:
                told.append(self._archive(parallel))
            except (SinkError, CloudError, OSError, ValueError) as error:
                told.append(str(error))
            except Exception:
                told.append("a mistake of ours ended the archive")
                raise
            finally:
                ended.set()

        seconds = self.order.bounds.seconds + HANGING_S
        late_s = self.clock.monotonic_s() + seconds
        threading.Thread(target=work, name="archive", daemon=True).start()
        while not ended.wait(_LOOK_S) and self.clock.monotonic_s() < late_s:
            pass
        return told[0] if told else f"it has not ended within {seconds:g} s: something hangs"

    def _archive(self, parallel: ParallelRun) -> Archived:
        order = self.order
        place = opened(
            order.place,
            self.objects,
            clock=self.clock,
            keep_s=order.keep_s,
            public=order.public,
        )
        with (
            place as sink,
            Archive(
                sink,
                bounds=order.bounds,
                title="What a job left",
                about=self.about,
                clock=self.clock,
                stopped=self.stopped,
            ) as archive,
        ):
            waiting = deque(range(len(parallel.outcomes)))
            # Daemons: one that hangs must not keep the process, as those of a pool do.
            threads = [
                threading.Thread(
                    target=self._put_each,
                    args=(archive, parallel, waiting),
                    name=f"archive-node-{number}",
                    daemon=True,
                )
                for number in range(min(len(waiting), _AT_ONCE))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return archive.finish()

    def _put_each(self, archive: Archive, parallel: ParallelRun, waiting: deque[int]) -> None:
        while True:
            try:
                index = waiting.popleft()
            except IndexError:
                return
            try:
                self._put(archive, parallel, index)
            except Exception:
                node = parallel.outcomes[index].node.id
                archive.end(f"node {node}: a mistake of ours ended its archive")
                raise

    def _put(self, archive: Archive, parallel: ParallelRun, index: int) -> None:
        """Put what one machine has into the archive."""
        node = parallel.outcomes[index].node
        label = node.label.replace("/", "_")
        several = len(parallel.outcomes) > 1
        archive.put(
            self._tree(archive, parallel, index),
            under=f"{index}-{label}-{node.id}" if several else "",
        )

    def _tree(self, archive: Archive, parallel: ParallelRun, index: int) -> Iterator[TreeEntry]:
        bounds = self.order.bounds
        try:
            session = parallel.session(index)
        except SshError as error:
            archive.end(f"node {parallel.outcomes[index].node.id}: {error}")
            return
        rest = ArchiveBounds(
            bytes_max=bounds.bytes_max, files_max=bounds.files_max, seconds=archive.rest_s
        )
        yield from fetch(
            session,
            self.order.paths,
            bounds=rest,
            clock=self.clock,
            start=self.start,
            stopped=self.stopped,
        )


def _facts(done: Archived) -> dict[str, Any]:
    return {
        "place": done.place or None,
        "files": done.files,
        "bytes": done.bytes,
        "failed": done.failed,
        "left_out": done.left_out,
        "why": done.why,
    }


def _nothing(why: str) -> Archived:
    """Return what became of an archive that was never begun, or of which nobody knows."""
    return Archived(url=None, place="", files=0, bytes=0, failed=0, left_out=0, why=why)


def _sentence(done: Archived) -> str:
    what = "1 file" if done.files == 1 else f"{done.files} files"
    lacks = [f"{done.failed} could not be stored"] if done.failed else []
    lacks += [done.why] if done.why else []
    but = f" (not complete: {'; '.join(lacks)})" if lacks else ""
    return f"archived {what}, {done.bytes} bytes{but}: {done.url or done.place}"
