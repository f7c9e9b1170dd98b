"""Attendance: who is not seen, or has not read everything, decides nothing."""

from remuda.membership.attendance import REGISTER_AGAIN_S, Attendance


def attending() -> Attendance:
    """Return how one stands that has read its only mirror."""
    return Attendance(connected=True, roots=frozenset({"/a"}), synced={"/a"})


def test_who_is_seen_and_has_read_everything_is_awake() -> None:
    """Nobody else is."""
    made = attending()
    before = made.awake
    made.was_registered()
    there = made.awake
    made.synced.clear()

    assert (before, there, made.awake) == (False, True, False)


def test_a_registration_that_failed_is_tried_again_once_the_mirrors_tell_what_it_left() -> None:
    """After a moment, and once for each failure."""
    made = attending()
    made.register_failed(10.0)
    early = made.register_is_due(10.0)
    made.synced.clear()
    blind = made.register_is_due(10.0 + REGISTER_AGAIN_S)
    made.synced.add("/a")
    due = made.register_is_due(10.0 + REGISTER_AGAIN_S)

    assert (early, blind, due) == (False, False, True)
    assert not made.register_is_due(99.0)


def test_with_the_session_goes_what_was_made_in_it() -> None:
    """Locks of the next one have other names."""
    made = attending()
    made.was_registered()
    stem = made.stem
    made.lost()

    assert made.unseen
    assert made.stem != stem
