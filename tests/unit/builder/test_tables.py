"""Every action of a builder has its place in the tables: who adds one cannot forget half of it."""

from typing import get_args

from builder.actions import KINDS, Action, JudgedAction
from builder.alarm.actions import RaiseAlarm
from builder.pointer.actions import MovePointer
from builder.start import STARTERS
from builder.writes import WRITES
from remuda.model.pointer import Pointer

ACTIONS = set(get_args(Action)) - {RaiseAlarm}  # that one is all said with itself


def test_every_action_says_what_it_keeps_busy() -> None:
    """And in which lane it is done."""
    assert set(KINDS) == ACTIONS


def test_every_action_begins() -> None:
    """By its noun, or as a transaction; what is begun otherwise is no judgement's to write."""
    assert ACTIONS - set(STARTERS) - set(WRITES) == set()
    assert set(WRITES) <= set(get_args(JudgedAction))


def test_a_pointer_is_busy_by_the_name_that_judgements_ask_for() -> None:
    """What is delayed is another matter: a pointer is one of an image, in a provider."""
    pointer = Pointer(image="a", provider="p", place="x" * 12, current=1)
    action = MovePointer(image="a", provider="p", after=pointer)

    assert KINDS[MovePointer].subject(action) == "pointer of a in p"
    assert action.id == ("a", "p")
