"""Every action of a builder has its place in the tables: who adds one cannot forget half of it."""

from typing import get_args

from builder.actions import KINDS, Action, JudgedAction
from builder.alarm.actions import RaiseAlarm
from builder.start import STARTERS
from builder.writes import WRITES

ACTIONS = set(get_args(Action)) - {RaiseAlarm}  # that one is all said with itself


def test_every_action_says_what_it_keeps_busy() -> None:
    """And in which lane it is done."""
    assert set(KINDS) == ACTIONS


def test_every_action_begins() -> None:
    """By its noun, or as a transaction; what is begun otherwise is no judgement's to write."""
    assert ACTIONS - set(STARTERS) - set(WRITES) == set()
    assert set(WRITES) <= set(get_args(JudgedAction))
