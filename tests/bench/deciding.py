"""How long a plan takes to think, at 10,000 nodes and 1,000 requests.

Milliseconds would say more of the machine than of the code. So it is held against the least that
anybody must do to know all this: read the same records once, as plain JSON.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launcher.decide import decide
from launcher.world import Agenda, World
from remuda.model import launch, node, request
from tests.bench.figures import Figure, median, ms, spread
from tests.bench.worlds import LABELS, NOW, Shape, add_request, make_ready, settle, world

#: Of the time in which the records are read. Where that takes 85 ms, these are 50 ms and 2 ms.
FULL_MAX: Final = 0.6
ONE_MAX: Final = 0.025

#: All machines are taken and the pool is full, or a thousand wait for a thousand requests.
SHAPES: Final = {
    "full cloud": Shape(used=10_000, free=0, waiting=1_000, limit=10_000),
    "1,000 to lend": Shape(used=9_000, free=1_000, waiting=1_000, limit=10_000),
    "1,000 to start": Shape(used=10_000, free=0, waiting=1_000, limit=20_000),
}


@dataclass(frozen=True, slots=True)
class _Change:
    """One thing that happens: what it does to the world, and for which shape."""

    shape: str
    happen: Callable[[World, int], object]


def _node_ready(made: World, number: int) -> None:
    make_ready(made, number)


def _node_read(made: World, number: int) -> None:
    made.agenda.nodes.add(list(made.nodes.views)[number])


def _new_request(made: World, number: int) -> None:
    add_request(made, 20_000 + number)


CHANGES: Final = {
    "a node's record changes": _Change("full cloud", _node_read),
    "a request comes, nothing free": _Change("full cloud", _new_request),
    "a request comes, a node is free": _Change("1,000 idle", _new_request),
    "a node becomes ready, 1,000 wait": _Change("full cloud", _node_ready),
}


def measure(*, quick: bool) -> list[Figure]:
    """Measure whole plans and small ones."""
    rounds = 5 if quick else 15
    raw_s = _reading(rounds)
    return [_full(rounds, raw_s), _one(rounds, raw_s)]


def _reading(rounds: int) -> float:
    """Return how long it takes to read every record of a full cloud once, and nothing else."""
    made = world(SHAPES["full cloud"])
    nodes, requests = made.nodes.views.values(), made.queue.views.values()
    records = [
        *(node.encode(view.node) for view in nodes if view.node is not None),
        *(launch.encode(view.launch) for view in nodes if view.launch is not None),
        *(request.encode(view.request) for view in requests),
    ]
    times = []
    for _ in range(rounds):
        begun_s = time.thread_time()
        for record in records:
            json.loads(record)
        times.append(time.thread_time() - begun_s)
    return median(times)


def _full(rounds: int, raw_s: float) -> Figure:
    found: dict[str, list[float]] = {}
    for name, shape in SHAPES.items():
        made = world(shape)
        found[name] = [_timed(made, Agenda(everything=True)) for _ in range(rounds)]
    return _figure("decide, everything", found, raw_s, FULL_MAX)


def _one(rounds: int, raw_s: float) -> Figure:
    shapes = {**SHAPES, "1,000 idle": Shape(used=9_000, free=1_000, waiting=0, limit=10_000)}
    found: dict[str, list[float]] = {}
    for name, change in CHANGES.items():
        found[name] = []
        for number in range(rounds):
            made = world(shapes[change.shape])
            settle(made)
            change.happen(made, number)
            found[name].append(_timed(made, made.take_agenda()))
    return _figure("decide, one change", found, raw_s, ONE_MAX)


def _figure(name: str, found: dict[str, list[float]], raw_s: float, most: float) -> Figure:
    worst = max(median(times) for times in found.values())
    details: dict[str, object] = {shape: spread(times) for shape, times in found.items()}
    return Figure(
        name=name,
        bound=f"<= {most:g} x reading",
        measured=ms(worst),
        raw=ms(raw_s),
        ratio=worst / raw_s,
        ok=worst <= most * raw_s,
        details=details | {"labels": len(LABELS)},
    )


def _timed(made: World, agenda: Agenda) -> float:
    # CPU time: a plan waits for nothing, and others at work on the machine are not its fault.
    begun_s = time.thread_time()
    decide(made, agenda, NOW)
    return time.thread_time() - begun_s
