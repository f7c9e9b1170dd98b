"""The inbox: nothing is lost, nothing comes twice, and it is bounded by what there is."""

import threading
from dataclasses import replace

from remuda.runtime.inbox import Inbox
from remuda.store.api import Dirty, Gone, Put, Session, Stored, Synced


def put(path: str, data: bytes = b"") -> Put:
    """Return the content of a znode."""
    return Put(path=path, stored=Stored(path=path, value=data, version=0))


def test_the_last_change_of_a_path_counts_and_stands_at_its_own_place() -> None:
    """A newer one replaces the older and moves to the end."""
    inbox: Inbox[str] = Inbox()
    for change in (put("/a", b"1"), put("/b"), put("/a", b"2")):
        inbox.change(change)

    assert (put("/b"), put("/a", b"2")) == inbox.drain(wait_s_max=0).changes
    assert inbox.drain(wait_s_max=0).changes == ()


def test_synced_stays_behind_what_it_speaks_of() -> None:
    """However often the mirror was read."""
    inbox: Inbox[str] = Inbox()
    for change in (Synced(root="/"), put("/a"), Synced(root="/")):
        inbox.change(change)

    assert (put("/a"), Synced(root="/")) == inbox.drain(wait_s_max=0).changes


def test_a_change_of_the_session_unsyncs_every_mirror() -> None:
    """What was complete before it has to be read again; the changes remain true."""
    inbox: Inbox[str] = Inbox()
    inbox.change(put("/a"))
    inbox.change(Synced(root="/"))
    inbox.session(Session.SUSPENDED)
    inbox.session(Session.CONNECTED)
    news = inbox.drain(wait_s_max=0)

    assert (put("/a"),) == news.changes
    assert news.session == (Session.SUSPENDED, Session.CONNECTED)


def test_events_keep_their_order_and_their_number() -> None:
    """Two equal ones are two."""
    inbox: Inbox[str] = Inbox()
    for event in ("a", "b", "a"):
        inbox.event(event)

    assert inbox.drain(wait_s_max=0).events == ("a", "b", "a")


def test_what_we_did_ourselves_does_not_wake_the_brain_unless_it_is_urgent() -> None:
    """It is there when anything else does, in its order; what others wrote is news."""
    inbox: Inbox[str] = Inbox()
    echo = replace(put("/a"), own=True)
    inbox.change(echo)
    inbox.event("lent", urgent=False)
    asleep = inbox._news
    inbox.change(put("/b"))
    awake = inbox._news
    news = inbox.drain(wait_s_max=0)

    assert (asleep, awake) == (False, True)
    assert ((echo, put("/b")), ("lent",)) == (news.changes, news.events)


def test_that_something_is_being_read_does_not_wake_the_brain() -> None:
    """But it is there when anything else does."""
    inbox: Inbox[str] = Inbox()
    inbox.change(Dirty(path="/a"))
    asleep = inbox._news
    inbox.change(Gone(path="/b"))

    assert (asleep, inbox._news) == (False, True)
    assert (Dirty(path="/a"), Gone(path="/b")) == inbox.drain(wait_s_max=0).changes


def test_whoever_waits_is_woken_from_another_thread() -> None:
    """By a bare wake, too."""
    inbox: Inbox[str] = Inbox()
    thread = threading.Thread(target=inbox.wake)
    thread.start()
    news = inbox.drain(wait_s_max=None)
    thread.join()

    assert news == inbox.drain(wait_s_max=0)
