"""Fifty swaps under load: is there an instant without a build, or a request that fails or is late?

Users ask for machines all the time. Meanwhile builders and launchers are killed, and ZooKeeper is
away for a moment. First without swaps, for comparison; then each swap is a roll-back, or the move
of a builder to the newest build once it is given back.
"""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import psutil

from requestor import Client, RequestorError, connect
from tests.bench.figures import Figure, spread
from tests.bench.images_stage import UNLIMITED, ImageStage, first_build, second_build
from tests.bench.looking import pause
from tests.support.processes import ROOT, Process, ends_with_us

SWAPS: Final = 50
#: What may lie between the slowest request without swaps and the slowest with them: one more
#: session that has to end, for a kill that hit worse.
MARGIN_S: Final = 4.0
#: Of the thousand looks in a second, at least; fewer prove nothing.
LOOKS_PER_S: Final = 500.0
_USERS: Final = 3
_SOON_S: Final = 120.0
#: Short against a session, long against everything else.
_AWAY_S: Final = 1.5


@dataclass(slots=True)
class Users:
    """People who ask, get a machine, and give it back, all the time."""

    client: Client
    waits_s: list[tuple[float, float]] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Begin to ask."""
        for number in range(_USERS):
            one = threading.Thread(target=self._run, name=f"user-{number}", daemon=True)
            one.start()
            self._threads.append(one)
        return self

    def __exit__(self, *_error: object) -> None:
        """Ask no more."""
        self._over.set()
        for one in self._threads:
            one.join(_SOON_S)

    def _run(self) -> None:
        while not self._over.wait(0.2):
            begun_s = time.monotonic()
            try:
                pending = self.client.request("ours")
                pending.wait(_SOON_S)
                with pending:
                    self.waits_s.append((begun_s, time.monotonic() - begun_s))
            except RequestorError as exc:
                self.trouble.append(repr(exc))

    def between(self, begun_s: float, ended_s: float) -> list[float]:
        """Return how long those waited who asked in this time."""
        return [waited for at, waited in self.waits_s if begun_s <= at < ended_s]


class Trouble:
    """Kills builders and launchers, and lets ZooKeeper be away, in turns."""

    def __init__(
        self, stage: ImageStage, builders: list[Process], launchers: list[Process]
    ) -> None:
        self._stage = stage
        self._builders = builders
        self._launchers = launchers
        self._turn = 0
        self.done: list[str] = []

    def next(self) -> None:
        """Make the next trouble."""
        turns: list[Callable[[], None]] = [self._builder, self._launcher, self._zookeeper]
        turns[self._turn % len(turns)]()
        self._turn += 1

    def _builder(self) -> None:
        self._builders.pop(0).kill()
        self._builders.append(self._stage.builder())
        self.done.append("builder")

    def _launcher(self) -> None:
        self._launchers.pop(0).kill()
        self._launchers.append(self._stage.launcher("alpha", wait=False))
        self.done.append("launcher")

    def _zookeeper(self) -> None:
        process = psutil.Process(self._stage.server.pid)
        process.send_signal(signal.SIGSTOP)
        pause(_AWAY_S)
        process.send_signal(signal.SIGCONT)
        self.done.append("zookeeper")


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Swap again and again, under load and in trouble."""
    swaps, every = (12, 4) if quick else (SWAPS, 8)
    with ImageStage(folder) as stage:
        trouble = _prepare(stage)
        with connect(stage.hosts) as client, Users(client) as users:
            pause(5.0)
            begun_s = time.monotonic()
            for _ in range(3):
                trouble.next()
                pause(6.0 if quick else 10.0)
            between_s = time.monotonic()
            with _Probing(stage) as probing:
                for number in range(swaps):
                    _swap(stage)
                    if number % every == 1:
                        trouble.next()
                pause(5.0)
            ended_s = time.monotonic()
        without = users.between(begun_s, between_s)
        during = users.between(between_s, ended_s)
        return [
            _instants(probing.seen, swaps, trouble.done),
            _requests(without, during, users.trouble),
        ]


def _prepare(stage: ImageStage) -> Trouble:
    stage.cloud("a", system="minimal", quota=UNLIMITED)
    stage.label("ours", min_ready=2)
    first_build(stage, "alpha")
    pool = {"max_servers": 30}
    stage.provider("alpha", "a", labels={"ours": {"image": {"built": "base"}}}, pool=pool)
    launchers = [stage.launcher("alpha"), stage.launcher("alpha")]
    builders = [stage.builder(), stage.builder()]
    second_build(stage, "alpha")
    return Trouble(stage, builders, launchers)


def _swap(stage: ImageStage) -> None:
    """Move the pointer: back by command, or on by a builder, whoever of them lives."""
    found = stage.pointer("base")
    assert found is not None
    if found[0].current == 2:
        stage.roll_back("base")
    else:
        stage.restore("base/2")
        stage.current("base", 2)
    pause(0.3)


class _Probing:
    """The probe, as long as the block.

    Attributes:
        seen: What it saw, once the block has ended.
    """

    def __init__(self, stage: ImageStage) -> None:
        self._out = stage.folder / "probe.json"
        module = "tests.bench.images_probe"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, stage.hosts[0], "base", "alpha", str(self._out)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            preexec_fn=ends_with_us(9),  # type: ignore[arg-type]  # noqa: PLW1509 - one prctl
        )
        self.seen: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_SOON_S)
        self.seen = json.loads(self._out.read_text())


def _instants(seen: dict[str, Any], swaps: int, done: list[str]) -> Figure:
    rate = seen["counts"].get("read", 0) / seen["seconds"]
    moved = seen["counts"].get("changes", 0)
    return Figure(
        name=f"instants without a good image, {swaps} swaps",
        bound="0",
        measured=f"{seen['bad_count']} of {seen['counts'].get('read', 0)}",
        ok=seen["bad_count"] == 0 and moved > swaps and rate >= LOOKS_PER_S,
        details={**seen, "looks_per_s": rate, "trouble": done},
    )


def _requests(without: list[float], during: list[float], trouble: list[str]) -> Figure:
    latest_s = max(without) + MARGIN_S
    late = [one for one in during if one > latest_s]
    return Figure(
        name="requests that failed, or were late, meanwhile",
        bound="0",
        measured=f"{len(trouble)} failed, {len(late)} late, of {len(during)}",
        ok=not trouble and not late and len(during) > 0,
        details={
            "without_swaps": spread(without),
            "with_swaps": spread(during),
            "late_beyond_s": latest_s,
            "trouble": trouble,
        },
    )
