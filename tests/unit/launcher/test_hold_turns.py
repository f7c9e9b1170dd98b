"""Holds that are counted one at a time: whoever waits has its turn as soon as that is answered."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from launcher.actions import KINDS, Action
from launcher.hold.actions import AnswerHold, KeepNode, NoteHold
from launcher.node.actions import Condemn
from launcher.retries import LEDGER_RETRY_S
from launcher.world import World
from remuda.frame.work import Written
from remuda.model.ids import NodeId
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import StaleWriteError, StoreError
from tests.unit.launcher.test_autoholds import AUTOHOLD, failed, waiting
from tests.unit.launcher.test_holds import WISH, held, ruled, wished
from tests.unit.launcher.test_thinking import Recorder, present
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW

JUDGED = (AnswerHold, KeepNode, NoteHold, Condemn)


@dataclass(slots=True)
class Sending(Recorder):
    """Notes what is written of holds, and keeps it under way until a test answers it."""

    def start(self, action: Action, _now: Now) -> None:
        """Note it."""
        if isinstance(action, JUDGED):
            self.begun.append(action)
            for subject in KINDS[type(action)].subjects(action):
                self.world.busy.enter(subject, action)


class Turns:
    """The turns of one launcher at one moment: no alarm rings."""

    def __init__(self, made: World) -> None:
        self.made, self.works, self.sending = made, Works(made), Sending(made)
        self.brain = self.works.brain(self.sending, present())
        made.agenda.everything = True

    def turn(self) -> list[Any]:
        """Return what is begun by one more turn."""
        self.sending.begun.clear()
        self.brain.think(NOW)
        return list(self.sending.begun)

    def answer(self, action: AnswerHold | KeepNode, error: StoreError | None = None) -> None:
        """Take in the answer to what was begun."""
        view = self.made.nodes.views[action.node]
        if error is None:
            assert view.launch is not None
            view.launch = replace(view.launch, hold=action.hold)
        self.works.hear(Written(action=action, result=error or ()), NOW)


def test_a_burst_of_wishes_waits_for_no_clock() -> None:
    """Each is granted as soon as the one before is written; the last is one too many."""
    made = ruled(max=4)
    for number in range(1, 6):
        wished(made, replace(WISH, token=f"t{number}"), number=number)
    turns, seen = Turns(made), []
    for _ in range(5):
        (action,) = turns.turn()
        seen.append((action.node, action.hold.refused is None))
        assert turns.turn() == []
        turns.answer(action)
    assert seen == [(f"000000000{number}", number < 5) for number in range(1, 6)]
    assert turns.turn() == []
    assert made.uncounted == set()


def test_who_loses_the_race_for_the_ledger_lets_the_next_one_try_and_comes_again_soon() -> None:
    """However often that was: nothing is wrong with its records."""
    made = ruled(max=2)
    for number in (1, 2):
        wished(made, replace(WISH, token=f"t{number}"), number=number)
    turns, first = Turns(made), made.nodes.views[NodeId("0000000001")]
    first.patience.tries = 7
    (action,) = turns.turn()
    assert action.node == first.id
    turns.answer(action, StaleWriteError(paths.hold_ledger("here"), "another version"))
    assert first.patience.retry_s == NOW.mono_s + LEDGER_RETRY_S
    assert first.patience.tries == 7
    (action,) = turns.turn()
    assert action.node == "0000000002"


def test_what_is_wrong_with_its_own_records_is_tried_later_and_later() -> None:
    """As with every record."""
    made = ruled(max=2)
    view = wished(made)
    turns = Turns(made)
    (action,) = turns.turn()
    turns.answer(action, StaleWriteError(paths.node(view.id), "another version"))
    assert view.patience.retry_s > NOW.mono_s + LEDGER_RETRY_S
    assert view.patience.tries == 1


def test_who_waits_for_an_autohold_goes_once_that_has_its_machine() -> None:
    """The second failure is condemned at once: the autohold waits for no other."""
    made = waiting(replace(AUTOHOLD, count=1))
    failed(made, 1)
    failed(made, 2)
    turns = Turns(made)
    (kept,) = turns.turn()
    assert (type(kept), kept.node) == (KeepNode, "0000000001")
    made.autoholds.stored.clear()  # as the mirror tells once it is written
    turns.answer(kept)
    assert ("0000000002", Condemn) in [(one.node, type(one)) for one in turns.turn()]


@pytest.mark.parametrize("fires", [None, AUTOHOLD.id])
def test_another_programs_hold_lets_others_go_on_if_it_counts_an_autohold_down(
    fires: str | None,
) -> None:
    """A mere look at a held machine is nobody's turn."""
    made = ruled()
    view = held(made)
    assert view.launch is not None
    assert view.launch.hold is not None
    made.take_agenda()
    made.uncounted = {NodeId("0000000009")}
    noted = NoteHold(node=view.id, hold=view.launch.hold, fires=fires)
    Works(made).hear(Written(action=noted, result=()), NOW)
    assert ("0000000009" in made.agenda.nodes) is (fires is not None)
