"""Waiting in tests is bounded and says what for."""

import threading

import pytest

from tests.support.deadline import DeadlineMissedError, wait_for


def test_what_is_true_is_returned_at_once() -> None:
    """The value itself, not just True."""
    assert wait_for(lambda: "here", 0.0, "nothing") == "here"


def test_what_becomes_true_is_waited_for() -> None:
    """It looks again."""
    answers = iter((0, 0, 7))
    assert wait_for(lambda: next(answers), 5.0, "seven") == 7


def test_an_event_is_waited_for_without_looking() -> None:
    """It wakes by itself."""
    event = threading.Event()
    threading.Timer(0.01, event.set).start()
    assert wait_for(event, 5.0, "the event")


def test_the_error_says_what_was_waited_for() -> None:
    """And what was seen last."""
    with pytest.raises(DeadlineMissedError, match=r"waited 0\.01 s for rain; last seen: 0"):
        wait_for(lambda: 0, 0.01, "rain")
    with pytest.raises(DeadlineMissedError, match=r"waited 0\.01 s for rain$"):
        wait_for(threading.Event(), 0.01, "rain")
