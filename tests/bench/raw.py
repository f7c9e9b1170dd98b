"""The raw chain: what two plain kazoo clients need for the unavoidable operations, and no more.

One creates a request. The other, in a process of its own, is told by a watch, reads it, and
answers with one transaction that writes a node and the request. The first is told by a watch and
reads the answer. The records are as large as real ones. The server's own client waits with its
watch set before the request comes, so that nothing but these operations lies on the way.

``python -m tests.bench.raw HOST`` is the answering side; it ends with its standard input.
"""

import queue
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Final, Self

from kazoo.client import KazooClient
from kazoo.protocol.states import WatchedEvent

from tests.bench.records import FULFILLED, NODE_ALLOCATED, NODE_READY, REQUEST
from tests.support.processes import ROOT, ends_with_us

REQUESTS: Final = "/raw/requests"
NODES: Final = "/raw/nodes"
_SOON_S: Final = 60.0


def _paths(number: int) -> tuple[str, str]:
    return f"{REQUESTS}/{number:06d}", f"{NODES}/{number:06d}"


class Answering:
    """The side that answers: a launcher's part."""

    def __init__(self, hosts: str) -> None:
        self._zk = KazooClient(hosts=hosts, timeout=20.0)
        self._zk.start()

    def expect(self, numbers: Sequence[int]) -> None:
        """Wait with a watch for each of these requests; return when all watches are set."""
        asked = []
        for number in numbers:
            asked.append(self._zk.create_async(_paths(number)[1], NODE_READY))
            asked.append(self._zk.exists_async(_paths(number)[0], watch=self._came))
        for one in asked:
            one.get(timeout=_SOON_S)

    def _came(self, event: WatchedEvent) -> None:
        if event.type == "CREATED":
            self._zk.get_async(event.path).rawlink(lambda _found: self._answer(event.path))

    def _answer(self, path: str) -> None:
        answer = self._zk.transaction()
        answer.set_data(f"{NODES}/{path.rpartition('/')[2]}", NODE_ALLOCATED, version=0)
        answer.set_data(path, FULFILLED, version=0)
        answer.commit_async()

    def serve(self) -> None:
        """Expect what standard input says, until it ends."""
        for line in sys.stdin:
            first, count = map(int, line.split())
            self.expect(range(first, first + count))
            sys.stdout.write("expecting\n")
            sys.stdout.flush()
        self._zk.stop()


class Chain:
    """The side that asks; it starts the other one."""

    def __init__(self, hosts: str) -> None:
        self._zk = KazooClient(hosts=hosts, timeout=20.0)
        self._zk.start()
        for path in (REQUESTS, NODES):
            self._zk.ensure_path(path)
        self._other = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.raw", hosts],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=ends_with_us(9),  # type: ignore[arg-type]  # noqa: PLW1509 - one prctl
        )
        self._next = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End both sides."""
        self.close()

    def close(self) -> None:
        """End both sides."""
        if self._other.stdin is not None:
            self._other.stdin.close()
        self._other.wait(10.0)
        self._zk.stop()
        self._zk.close()

    def _expect(self, count: int) -> range:
        numbers = range(self._next, self._next + count)
        self._next += count
        assert self._other.stdin is not None
        assert self._other.stdout is not None
        self._other.stdin.write(f"{numbers[0]} {count}\n")
        self._other.stdin.flush()
        if not self._other.stdout.readline():
            raise RuntimeError("the answering side of the raw chain has ended")
        return numbers

    def one(self) -> float:
        """Go through one chain; return its seconds."""
        (number,) = self._expect(1)
        return self._run([number])

    def burst(self, count: int) -> float:
        """Go through many at once; return the seconds until the last one is answered."""
        return self._run(self._expect(count))

    def _run(self, numbers: Sequence[int]) -> float:
        begun_s = time.perf_counter()
        asking = Asking(self._zk)
        for number in numbers:
            asking.ask(_paths(number)[0], REQUEST, sequence=False)
        asking.wait(len(numbers))
        seconds = time.perf_counter() - begun_s
        gone = [self._zk.delete_async(path) for number in numbers for path in _paths(number)]
        for one in gone:
            one.get(timeout=_SOON_S)
        return seconds


class Asking:
    """Asks with a plain kazoo client and waits for the answers, without waiting in between."""

    def __init__(self, zk: KazooClient) -> None:
        self._zk = zk
        self._done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.requests: list[str] = []

    def ask(self, path: str, data: bytes, *, sequence: bool) -> None:
        """Create a request and watch it."""
        made = self._zk.create_async(path, data, ephemeral=sequence, sequence=sequence)
        made.rawlink(self._made)

    def _made(self, made: Any) -> None:
        path: str = made.get()
        self.requests.append(path)
        self._zk.get_async(path, watch=self._changed).rawlink(lambda got: self._read(path, got))

    def _changed(self, event: WatchedEvent) -> None:
        if event.type == "CHANGED":
            path = event.path
            self._zk.get_async(path).rawlink(lambda got: self._read(path, got))

    def _read(self, path: str, got: Any) -> None:
        data, _stat = got.get()
        if b'"fulfilled"' in data:
            self._done.put(path)

    def wait(self, count: int) -> None:
        """Wait until so many different requests are answered."""
        seen: set[str] = set()
        while len(seen) < count:
            seen.add(self._done.get(timeout=_SOON_S))


if __name__ == "__main__":
    Answering(sys.argv[1]).serve()
