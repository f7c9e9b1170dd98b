"""Intake: each kind of end frees what its action kept, and then its user learns of it, once."""

from typing import Any

from remuda.frame.intake import Intake
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.membership.tree import Tree
from remuda.runtime.now import Now
from remuda.store.api import Create, MissingError
from tests.unit.frame.test_dispatch import Fetch, Scene, Write

NOW = Now(wall_s=1000.0, mono_s=10.0)
AWAY = MissingError("/things", "is missing")


class Learned:
    """Keeps what it is told, in order, and what was busy then."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.told = scene, list[tuple[str, object]]()

    def freed(self, action: Fetch) -> None:
        """Keep it."""
        assert action.who not in self.scene.dispatch.busy
        self.told.append(("freed", action))

    def brought(self, action: Fetch, event: Any, now: Now) -> None:
        """Keep it."""
        del action, now
        self.told.append(("brought", event))

    def written(self, event: Written[Fetch], now: Now) -> None:
        """Keep it."""
        del now
        self.told.append(("written", event))

    def crashed(self, event: HandCrashed[Fetch], now: Now) -> None:
        """Keep it."""
        del now
        self.told.append(("crashed", event))


class Desk:
    """An intake for the actions of a scene."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.learned = Learned(self.scene)
        self.store = self.scene.dispatch.ground.store
        self.intake: Intake[Fetch] = Intake(
            dispatch=self.scene.dispatch,
            tree=Tree(self.scene.dispatch.ground, ("/things",)),
            learner=self.learned,
        )

    def begin(self, action: Fetch) -> Fetch:
        """Have it under way."""
        self.scene.dispatch.start(action, lambda: None, NOW.mono_s)
        return action

    def take(self, end: Any) -> list[tuple[str, object]]:
        """Return what an end tells the user."""
        self.learned.told.clear()
        self.intake.take(end, NOW)
        return list(self.learned.told)


def test_what_a_hand_brings_is_learned_when_its_subject_is_free() -> None:
    """And of a hand that was given up, nothing."""
    desk = Desk()
    action = desk.begin(Fetch("a"))

    assert desk.take(Finished(action=action, event="seen")) == [
        ("freed", action),
        ("brought", "seen"),
    ]
    assert desk.take(Finished(action=action, event="late")) == []


def test_the_answer_to_a_transaction() -> None:
    """Its subject is free; an answer to what is not under way is learned all the same."""
    desk = Desk()
    action = desk.begin(Write("a"))
    answer = Written(action=action, result=())

    assert desk.take(answer) == [("freed", action), ("written", answer)]
    assert desk.take(answer) == [("written", answer)]


def test_a_hand_that_writes() -> None:
    """Its answer is taken in as that of a transaction."""
    desk = Desk()
    action = desk.begin(Fetch("a"))
    answer = Written(action=action, result=())

    assert desk.take(Finished(action=action, event=answer)) == [
        ("freed", action),
        ("written", answer),
    ]


def test_a_bug_in_a_hand_and_one_in_a_start() -> None:
    """Both are told, and both are learned; what never began keeps nothing."""
    desk = Desk()
    action = desk.begin(Fetch("a"))
    crash = HandCrashed(action=action, why="a bug")

    assert desk.take(Finished(action=action, event=crash)) == [
        ("freed", action),
        ("crashed", crash),
    ]
    assert desk.take(crash) == [("crashed", crash)]
    assert [event for event, _ in desk.scene.log.lines] == ["hand.crashed"] * 2


def test_a_tree_that_somebody_removed_is_made_again() -> None:
    """Only if the answer says so: else everybody who is late would make it."""
    desk = Desk()

    desk.take(Written(action=Write("a"), result=AWAY))
    assert desk.store.read("/things") is None

    desk.take(Written(action=Write("a"), result=AWAY, uprooted=True))
    assert desk.store.read("/things") is not None
    desk.store.commit([Create(path="/things/b")])
