"""Dispatch: begun is what is free, and each kind of end frees what was kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from remuda.frame.dispatch import Dispatch
from remuda.frame.lanes import Lanes
from remuda.frame.work import Busy, Finished, HandCrashed, WorkKind
from remuda.metrics.sink import NullMetrics
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeZookeeper


class Lane(StrEnum):
    """One lane with a queue, one without."""

    QUEUE = "queue"
    ROUND = "round"


@dataclass(frozen=True)
class Fetch:
    """Work in a lane for *who*, who waits for a place."""

    who: str


@dataclass(frozen=True)
class Rescue(Fetch):
    """The same, though a hand hangs."""


@dataclass(frozen=True)
class Write(Fetch):
    """A transaction."""


@dataclass
class Told:
    """A log that is kept."""

    lines: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def debug(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.lines.append((event, fields))

    info = warning = error = debug


class Scene:
    """A dispatch with one place in its lane."""

    def __init__(self) -> None:
        self.log, self.begun = Told(), list[str]()
        self.gone: set[str] = set()
        self.dispatch: Dispatch[Fetch, Lane] = Dispatch(
            kinds={
                Fetch: WorkKind(Lane.QUEUE, lambda one: one.who),
                Rescue: WorkKind(Lane.ROUND, lambda one: one.who, takes_over=True),
                Write: WorkKind(None, lambda one: one.who),
            },
            busy=Busy(),
            lanes=Lanes((Lane.QUEUE,)),
            places=lambda _: 1,
            ground=Ground(
                store=FakeZookeeper().connect(),
                inbox=Inbox(),
                clock=ManualClock(),
                log=self.log,
                metrics=NullMetrics(),
            ),
            about=lambda one: {"who": one.who},
            waiter=lambda one: one.who,
            there=lambda one: one.who not in self.gone,
        )

    def start(self, action: Fetch, now_s: float = 0.0, *, begins: bool = True) -> float | None:
        """Start an action, whose hand takes it or not."""

        def begin() -> bool:
            if begins:
                self.begun.append(f"{type(action).__name__} {action.who}")
            return begins

        return self.dispatch.start(action, begin, now_s)


def test_nothing_is_begun_twice_at_the_same_time() -> None:
    """Whatever kind it is, until it has ended; what could not be begun keeps nothing."""
    scene = Scene()
    write, again = Write("a"), Write("a")
    assert scene.start(write, begins=False) is None
    assert scene.start(write) == 0.0
    assert (scene.start(again), scene.start(Fetch("a"))) == (None, None)
    assert not scene.dispatch.ended(again)  # equal, but another
    assert scene.dispatch.ended(write)
    assert scene.start(again) == 0.0
    assert scene.begun == ["Write a"] * 2


def test_who_finds_no_place_waits_in_the_queue() -> None:
    """The longest waits first, and hears for how long it did."""
    scene = Scene()
    first = Fetch("a")
    assert [scene.start(first), scene.start(Fetch("b"), 1.0)] == [0.0, None]
    assert not scene.dispatch.has_place(Fetch("c"))

    assert scene.dispatch.finished(Finished(action=first, event="done")) == "done"
    scene.dispatch.lanes.offer(lambda _: 1)

    assert [scene.start(Fetch("c"), 5.0), scene.start(Fetch("b"), 6.0)] == [None, 5.0]


def test_the_late_word_of_a_hand_that_was_given_up_is_not_heard() -> None:
    """But its place is given back, and a bug that it met is told."""
    scene = Scene()
    hung, crashed, gone = Fetch("a"), Fetch("b"), Fetch("c")
    for one, event in ((hung, "x"), (crashed, HandCrashed(action=crashed, why="bug")), (gone, "x")):
        assert scene.start(one) == 0.0
        if one is gone:
            scene.gone.add("c")
        scene.dispatch.busy.give_up(one.who)
        heard = scene.dispatch.finished(Finished(action=one, event=event))
        assert heard == ("x" if one is gone else None)

    assert scene.dispatch.lanes.running.total() == 0
    assert scene.log.lines == [
        ("hand.late", {"who": "a", "action": "Fetch"}),
        ("hand.crashed", {"who": "b", "action": "Fetch", "why": "bug"}),
    ]


def test_some_work_is_begun_though_a_hand_hangs() -> None:
    """It takes over; what the other one says later frees nothing."""
    scene = Scene()
    hung, other = Fetch("a"), Rescue("a")
    scene.start(hung)
    assert scene.start(other) == 0.0

    assert scene.dispatch.finished(Finished(action=hung, event="late")) is None
    assert "a" in scene.dispatch.busy
    assert scene.dispatch.finished(Finished(action=other, event="done")) == "done"
