"""How long a plan takes to think, at 10,000 nodes and 1,000 requests."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launcher.decide.decide import decide
from launcher.world import Agenda, World
from tests.bench.figures import Figure, median, ms, spread
from tests.bench.worlds import LABELS, NOW, Shape, add_request, make_ready, settle, world

FULL_S_MAX: Final = 0.050
ONE_S_MAX: Final = 0.002

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
    made.agenda.nodes.add(list(made.herd.views)[number])


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
    return [_full(rounds), _one(rounds)]


def _full(rounds: int) -> Figure:
    found: dict[str, list[float]] = {}
    for name, shape in SHAPES.items():
        made = world(shape)
        found[name] = [_timed(made, Agenda(everything=True)) for _ in range(rounds)]
    worst = max(median(times) for times in found.values())
    return Figure(
        name="decide, everything",
        bound=f"< {ms(FULL_S_MAX)}",
        measured=ms(worst),
        ok=worst < FULL_S_MAX,
        details={name: spread(times) for name, times in found.items()},
    )


def _one(rounds: int) -> Figure:
    shapes = {**SHAPES, "1,000 idle": Shape(used=9_000, free=1_000, waiting=0, limit=10_000)}
    found: dict[str, list[float]] = {}
    for name, change in CHANGES.items():
        found[name] = []
        for number in range(rounds):
            made = world(shapes[change.shape])
            settle(made)
            change.happen(made, number)
            found[name].append(_timed(made, made.take_agenda()))
    worst = max(median(times) for times in found.values())
    return Figure(
        name="decide, one change",
        bound=f"< {ms(ONE_S_MAX)}",
        measured=ms(worst),
        ok=worst < ONE_S_MAX,
        details={name: spread(times) for name, times in found.items()} | {"labels": len(LABELS)},
    )


def _timed(made: World, agenda: Agenda) -> float:
    # CPU time: a plan waits for nothing, and others at work on the machine are not its fault.
    begun_s = time.thread_time()
    decide(made, agenda, NOW)
    return time.thread_time() - begun_s
