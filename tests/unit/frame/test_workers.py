"""The worker threads: each action in its lane, each with exactly one end."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import pytest

from remuda.frame.work import Finished, HandCrashed, WorkKind
from remuda.frame.workers import Workers
from remuda.runtime.inbox import Inbox

DEADLINE_S = 60.0


class Lane(StrEnum):
    """The one that there is."""

    ONLY = "only"


KINDS: Mapping[type, WorkKind[Lane]] = {
    str: WorkKind(Lane.ONLY, lambda _: None),
    int: WorkKind(None, lambda _: None),
}


@pytest.fixture
def inbox() -> Inbox[object]:
    """Return an inbox."""
    return Inbox()


@pytest.fixture
def workers(inbox: Inbox[object]) -> Iterator[Workers[object, str, Lane]]:
    """Return workers of one thread each."""
    made: Workers[object, str, Lane] = Workers(inbox, KINDS, {Lane.ONLY: 1})
    yield made
    made.stop()


def test_the_end_of_an_action_names_it(
    inbox: Inbox[object], workers: Workers[object, str, Lane]
) -> None:
    """With what its hand has to say."""
    workers.submit("action", lambda: "well")

    news = inbox.drain(wait_s_max=DEADLINE_S)

    assert news.events == (Finished(action="action", event="well"),)


def test_a_bug_in_a_hand_is_an_end_like_any_other(
    inbox: Inbox[object], workers: Workers[object, str, Lane]
) -> None:
    """It tells where; the thread goes on with the next."""

    def bug() -> str:
        raise ZeroDivisionError("a bug of ours")

    workers.submit("first", bug)
    (crashed,) = inbox.drain(wait_s_max=DEADLINE_S).events
    workers.submit("second", lambda: "well")
    (well,) = inbox.drain(wait_s_max=DEADLINE_S).events

    assert isinstance(crashed, Finished)
    assert isinstance(crashed.event, HandCrashed)
    assert crashed.event.action == "first"
    assert "ZeroDivisionError: a bug of ours" in crashed.event.why
    assert well == Finished(action="second", event="well")


def test_what_is_no_work_for_a_thread_is_refused(workers: Workers[object, str, Lane]) -> None:
    """A transaction is sent by whoever decides."""
    with pytest.raises(ValueError, match="no work for a thread"):
        workers.submit(7, lambda: "never")
