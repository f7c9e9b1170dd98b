"""How soon nobody boots a bad build any more: from the move of the pointer to the last create call.

Requests come and go all the time for machines that take minutes to boot, so that every launcher has
create calls on the wire, in its queue, and intents without one at each of the moves. The journal of
the sandbox says when it took which call, ZooKeeper when the pointer moved, both by one clock.
"""

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from requestor import Client, PendingRequest, connect
from tests.bench.figures import Figure, quantile, spread
from tests.bench.images_stage import UNLIMITED, ImageStage, first_build, second_build
from tests.bench.looking import pause

BOUND_S: Final = 1.0
_PROVIDERS: Final = ("alpha", "beta")
#: Longer than the bound: what comes later than this after a move is not seen as that move's.
_AFTER_S: Final = 1.5
#: Between two requests, and until each is given up.
_EVERY_S: Final = 0.08
_KEPT_S: Final = 1.0
_SLOW: Final = {"name": "m1.slow", "id": "9", "vcpus": 1, "ram": 2048, "disk": 20}
_SMALL: Final = {"name": "m1.small", "id": "2", "vcpus": 1, "ram": 2048, "disk": 20}


@dataclass(slots=True)
class Demand:
    """Requests that come all the time, and are given up before they are served."""

    client: Client
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread = threading.Thread(target=self._run, name="demand", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Ask no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(30.0)

    def _run(self) -> None:
        asked: list[tuple[float, PendingRequest]] = []
        while not self._over.wait(_EVERY_S):
            asked.append((time.monotonic(), self.client.request("slow", reuse=False)))
            while asked and time.monotonic() - asked[0][0] > _KEPT_S:
                asked.pop(0)[1].cancel()
        for _, one in asked:
            one.cancel()


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Roll back again and again, under load."""
    flavors = [_SMALL, {**_SLOW, "boot_seconds": 600}]
    with ImageStage(folder) as stage:
        stage.cloud("a", system="minimal", flavors=flavors, quota=UNLIMITED)
        _prepare(stage)
        with connect(stage.hosts) as client, Demand(client):
            stage.until(lambda: len(_creates(stage)) > 20, "create calls")
            moves = [_once(stage) for _ in range(10 if quick else 50)]
        return [_figure(stage, list(itertools.chain.from_iterable(moves)))]


def _prepare(stage: ImageStage) -> None:
    first_build(stage, *_PROVIDERS)
    how = {"image": {"built": "base"}, "flavor": "m1.slow"}
    for name in _PROVIDERS:
        stage.provider(
            name, "a", labels={"slow": how}, pool={"max_servers": 500}, max_concurrency=200
        )
    # Both lie in one project: what one of them builds is the other's, too.
    builder = None
    for name in (*_PROVIDERS, *_PROVIDERS):
        stage.launcher(name)
        builder = builder or stage.builder()
    assert builder is not None
    second_build(stage, *_PROVIDERS)
    builder.stop()


@dataclass(frozen=True, slots=True)
class _Moved:
    """One pointer that moved away from the bad build."""

    provider: str
    at_s: float
    asked_s: float


def _once(stage: ImageStage) -> list[_Moved]:
    """Roll back in all providers, and go forward again."""
    asked_s = time.time()
    stage.roll_back("base")
    found = [(one, stage.pointer("base", one)) for one in _PROVIDERS]
    pause(_AFTER_S)
    stage.restore("base/2", *_PROVIDERS)
    stage.promote("base/2")
    pause(0.5)
    return [_Moved(name, one[1], asked_s) for name, one in found if one is not None]


def _creates(stage: ImageStage) -> list[tuple[float, str, str]]:
    """Return when which provider had which build booted, of the label under load."""
    return [
        (
            line["at"],
            line["metadata"]["remuda_provider"],
            line["metadata"].get("remuda_booted_build", ""),
        )
        for line in stage.journal()
        if line["event"] == "made" and line["metadata"].get("remuda_label") == "slow"
    ]


def _figure(stage: ImageStage, moves: list[_Moved]) -> Figure:
    creates = _creates(stage)
    late_s: list[float] = []
    command_s: list[float] = []
    calls: Counter[str] = Counter()
    for move in moves:
        near = [
            (at - move.at_s, build)
            for at, provider, build in creates
            if provider == move.provider and -_AFTER_S < at - move.at_s < _AFTER_S
        ]
        bad = [after for after, build in near if build == "base/2"]
        late_s.append(max(0.0, *bad) if bad else 0.0)
        command_s.append(move.at_s - move.asked_s + late_s[-1])
        calls["bad, before"] += sum(after <= 0 for after in bad)
        calls["bad, after"] += sum(after > 0 for after in bad)
        calls["good, after"] += sum(after > 0 for after, build in near if build == "base/1")
    p99 = quantile(late_s, 0.99)
    enough = calls["bad, before"] >= len(moves) and calls["good, after"] >= len(moves)
    return Figure(
        name=f"last create call of a bad build, p99 of {len(moves)}",
        bound=f"<= {BOUND_S:g} s",
        measured=f"{p99 * 1000:.1f} ms after the move",
        ok=enough and p99 <= BOUND_S,
        details={
            "after_the_move": spread(late_s),
            "after_the_command": spread(command_s),
            "calls": dict(calls),
            "launchers": 2 * len(_PROVIDERS),
        },
    )
