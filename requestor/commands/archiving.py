"""Keeps what a job left on its machines. Whatever fails here is said, and changes nothing else."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from remuda.archive.bounds import ArchiveBounds
from remuda.archive.fetch import fetch
from remuda.archive.places import opened
from remuda.archive.sink import SinkError
from remuda.archive.trees import TreeEntry
from remuda.archive.writer import Archive, Archived
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

    def archive(self, parallel: ParallelRun, reporter: RunReporter) -> None:
        """Archive every machine of a run that has ended, and say what became of it."""
        try:
            done = self._archive(parallel)
        except (SinkError, CloudError, OSError, ValueError) as error:
            _tell_none(reporter, str(error))
            return
        if done.url is None:
            _tell_none(reporter, done.why or "there is nothing to keep", done)
            return
        log.info("archived %d files in %s", done.files, done.place)
        reporter.tell("archived", _sentence(done), url=done.url, **_facts(done))

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
            count = len(parallel.outcomes)
            with ThreadPoolExecutor(min(count, _AT_ONCE), thread_name_prefix="archive") as pool:
                for work in [pool.submit(self._put, archive, parallel, i) for i in range(count)]:
                    work.result()
            return archive.finish()

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
        "place": done.place,
        "files": done.files,
        "bytes": done.bytes,
        "failed": done.failed,
        "left_out": done.left_out,
        "why": done.why,
    }


def _tell_none(reporter: RunReporter, why: str, done: Archived | None = None) -> None:
    nothing = {"place": None, "files": 0, "bytes": 0, "failed": 0, "left_out": 0, "why": why}
    facts = (_facts(done) | {"why": why}) if done is not None else nothing
    reporter.tell("archived", f"nothing was archived: {why}", url=None, **facts)


def _sentence(done: Archived) -> str:
    what = "1 file" if done.files == 1 else f"{done.files} files"
    lacks = [f"{done.failed} could not be stored"] if done.failed else []
    lacks += [done.why] if done.why else []
    but = f" (not complete: {'; '.join(lacks)})" if lacks else ""
    return f"archived {what}, {done.bytes} bytes{but}: {done.url}"
