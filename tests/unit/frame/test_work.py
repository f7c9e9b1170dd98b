"""Busy: one set for everything that is worked on; what was given up frees nothing later."""

from dataclasses import dataclass

from remuda.frame.work import Busy


@dataclass(frozen=True, slots=True)
class Action:
    """Equal to any other of its kind."""


def test_a_subject_is_busy_until_its_action_has_ended() -> None:
    """And no longer."""
    busy: Busy[Action] = Busy()
    action = Action()
    busy.enter("listing", action)
    during = ("listing" in busy, list(busy), dict(busy.under_way()))

    assert during == (True, ["listing"], {"listing": action})
    assert busy.leave("listing", action)
    assert "listing" not in busy


def test_the_late_word_of_what_was_given_up_frees_nothing() -> None:
    """Two actions may be equal and yet not the same."""
    busy: Busy[Action] = Busy()
    hangs, second = Action(), Action()
    busy.enter(("node", "1"), hangs)
    busy.give_up(("node", "1"))
    busy.enter(("node", "1"), second)

    assert hangs == second
    assert not busy.leave(("node", "1"), hangs)
    assert ("node", "1") in busy
    assert busy.leave(("node", "1"), second)
