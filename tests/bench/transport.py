"""What our overrides of kazoo's connection save: the same packets through kazoo's own, in turns.

Both sides send the same bytes over a session each to one server, and neither decodes what comes
back. CPU time is that of the whole process, both threads: it does not depend on what else the
machine does as much as a latency would.
"""

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, Self

from kazoo.client import KazooClient

from remuda.runtime.clock import SystemClock
from remuda.store.client import wire_client
from remuda.store.connection import Waiter
from remuda.store.options import StoreOptions
from remuda.store.packets import GetData
from tests.bench.figures import Figure
from tests.support.zookeeper import running_server

_PATH: Final = "/bench"
_DATA: Final = b"x" * 300
_SOON_S: Final = 60.0
#: Ours needs at most so much of the processor that kazoo's own needs.
_BOUNDS: Final = {"many at once": 0.3, "each after the answer before": 0.5, "one by one": 0.7}


class _Side(Protocol):
    """Reads a znode; *done* is called on the I/O thread when the answer is there."""

    def read(self, done: Callable[[], None]) -> None:
        """Ask once."""


class _Ours:
    """The connection that launchers have."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        options = StoreOptions(hosts=hosts, session_s=20.0)
        self._client = wire_client(
            options,
            clock=SystemClock(),
            turn=lambda call, *args: call(*args),
            on_notification=lambda _kind, _path: None,
        )

    def __enter__(self) -> Self:
        self._client.start(timeout=_SOON_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.stop()
        self._client.close()

    def read(self, done: Callable[[], None]) -> None:
        waiter = Waiter(lambda *_answer: done(), _fail, lambda call, *args: call(*args))
        assert self._client.submit(GetData(_PATH), waiter)


class _Kazoo:
    """Kazoo as it comes."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self._client = KazooClient(hosts=",".join(hosts), timeout=20.0)

    def __enter__(self) -> Self:
        self._client.start(timeout=_SOON_S)
        self._client.ensure_path(_PATH)
        self._client.set(_PATH, _DATA)
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.stop()
        self._client.close()

    def read(self, done: Callable[[], None]) -> None:
        answer = self._client.handler.async_result()
        answer.rawlink(lambda _answer: done())
        self._client._call(_Undecoded(), answer)


class _Undecoded:
    """The same request as kazoo's connection wants it."""

    type = GetData(_PATH).type

    def serialize(self) -> bytes:
        return GetData(_PATH).serialize()

    def deserialize(self, raw: bytes, _at: int) -> bytes:
        return raw


def _fail(error: Exception) -> None:
    raise error


def _many(side: _Side, count: int) -> None:
    """Ask for all before waiting for any, as a launcher that fills its mirrors."""
    left, all_there = [count], threading.Event()

    def done() -> None:
        left[0] -= 1
        if not left[0]:
            all_there.set()

    for _ in range(count):
        side.read(done)
    assert all_there.wait(_SOON_S)


def _chain(side: _Side, count: int) -> None:
    """Ask for the next where the answer before arrives, as mirrors and watches do."""
    left, end = [count], threading.Event()

    def done() -> None:
        left[0] -= 1
        if left[0]:
            side.read(done)
        else:
            end.set()

    side.read(done)
    assert end.wait(_SOON_S)


def _one_by_one(side: _Side, count: int) -> None:
    """Ask, wait in the asking thread, ask again: a command."""
    for _ in range(count):
        there = threading.Event()
        side.read(there.set)
        assert there.wait(_SOON_S)


_WAYS: Final[dict[str, tuple[Callable[[_Side, int], None], int]]] = {
    "many at once": (_many, 2000),
    "each after the answer before": (_chain, 1000),
    "one by one": (_one_by_one, 1000),
}


def _cpu_us(way: Callable[[_Side, int], None], side: _Side, count: int) -> float:
    begun_s = time.process_time()
    way(side, count)
    return (time.process_time() - begun_s) / count * 1e6


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Return the figures, one for each way to ask."""
    rounds = 5 if quick else 15
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in _WAYS}
    with running_server(folder) as server, _Kazoo(server.hosts) as kazoo, _Ours(server.hosts) as us:
        for _ in range(rounds):
            for name, (way, count) in _WAYS.items():
                taken[name][0].append(_cpu_us(way, us, count))
                taken[name][1].append(_cpu_us(way, kazoo, count))
    return [_figure(name, *series) for name, series in taken.items()]


def _figure(name: str, ours: list[float], kazoos: list[float]) -> Figure:
    mine, theirs = statistics.median(ours), statistics.median(kazoos)
    details: dict[str, Any] = {"ours_us": ours, "kazoo_us": kazoos}
    return Figure(
        name=f"CPU of a read, {name}",
        bound=f"<= {_BOUNDS[name]:g} x kazoo's own",
        measured=f"{mine:.0f} us",
        raw=f"{theirs:.0f} us",
        ratio=mine / theirs,
        ok=mine / theirs <= _BOUNDS[name],
        details=details,
    )
