"""What a caller sees of a connection that comes and goes."""

import pytest

from remuda.store.api import Create, Delete, Session, Set, StoreAwayError, Stored, StoreError
from tests.contract.store.conftest import Answers, Rig


def test_states_are_told_in_order(rig: Rig) -> None:
    """A suspension that ends with the same session; then one that does not."""
    store = rig.connect()
    told: list[Session] = []
    store.on_session(told.append)
    first = store.session_id

    rig.suspend(store)
    rig.until(lambda: told == [Session.SUSPENDED], "the suspension")
    rig.resume(store)
    rig.until(lambda: told[-1] is Session.CONNECTED, "the connection")
    same = store.session_id
    rig.suspend(store)
    rig.until(lambda: told[-1] is Session.SUSPENDED, "the second suspension")
    rig.expire(store)
    rig.until(lambda: told[-1] is Session.CONNECTED, "the new session")

    assert told == [
        Session.SUSPENDED,
        Session.CONNECTED,
        Session.SUSPENDED,
        Session.LOST,
        Session.CONNECTED,
    ]
    assert first == same
    assert store.session_id not in (0, first)


def test_a_listener_can_leave(rig: Rig) -> None:
    """What on_session returns ends it; the same function may listen twice."""
    store = rig.connect()
    told: list[Session] = []
    leave = store.on_session(told.append)
    store.on_session(told.append)

    leave()
    rig.suspend(store)

    rig.until(lambda: told, "the suspension")
    assert told == [Session.SUSPENDED]


def test_nothing_waits_for_a_connection_that_is_away(rig: Rig) -> None:
    """Every call says so at once, and nothing is done later in secret."""
    store = rig.connect()
    answers = Answers()
    rig.suspend(store)

    for call in (
        lambda: store.read("/a"),
        lambda: store.read_many(["/a", "/b"]),
        lambda: store.children("/a"),
        lambda: store.commit([Create(path="/a")]),
        lambda: store.ensure("/a"),
        lambda: store.watch_once("/a", lambda: None),
    ):
        with pytest.raises(StoreAwayError):
            call()
    store.commit_later([Create(path="/a")], answers)
    store.read_later("/a", answers)
    rig.until(lambda: len(answers.got) == 2, "both answers")

    rig.resume(store)
    assert [type(error) for error in answers.errors] == [StoreAwayError, StoreAwayError]
    assert store.read("/a") is None


def test_what_was_on_its_way_is_answered_as_unknown(rig: Rig) -> None:
    """Each exactly once: done, or away; those that say done did happen."""
    store = rig.connect()
    answers: dict[int, object] = {}
    for number in range(500):
        store.commit_later(
            [Create(path=f"/n{number}")], lambda got, n=number: answers.update({n: got})
        )

    rig.suspend(store)
    rig.until(lambda: len(answers) == 500, "all answers")

    rig.resume(store)
    happened = {int(name[1:]) for name in store.children("/") if name.startswith("n")}
    said = {number for number, got in answers.items() if isinstance(got, tuple)}
    assert said <= happened
    assert all(isinstance(answers[number], StoreAwayError) for number in answers.keys() - said)


def test_a_watch_fires_once_at_a_change_or_an_end(rig: Rig) -> None:
    """And not at all where there was nothing to watch."""
    store, other = rig.connect(), rig.connect()
    other.commit([Create(path="/a", data=b"1"), Create(path="/b")])
    fired: list[str] = []

    found = store.watch_once("/a", lambda: fired.append("a"))
    store.watch_once("/b", lambda: fired.append("b"))
    nothing = store.watch_once("/c", lambda: fired.append("c"))
    other.ensure("/c")
    for _ in range(3):
        current = other.read("/a")
        assert current is not None
        other.commit([Set(path="/a", data=b"", version=current.version)])
    other.commit([Delete(path="/b")])

    rig.until(lambda: len(fired) == 2, "both watches")
    assert found is not None
    assert (found.value, nothing) == (b"1", None)
    assert sorted(fired) == ["a", "b"]


def test_a_watch_may_be_set_again_from_where_it_fires(rig: Rig) -> None:
    """Without waiting, so that every change is read as soon as it is told."""
    store, other = rig.connect(), rig.connect()
    other.commit([Create(path="/a", data=b"0")])
    read: list[object] = []

    def take(found: Stored[bytes] | StoreError | None) -> None:
        read.append(found.value if isinstance(found, Stored) else found)

    def fired() -> None:
        store.watch_later("/a", fired, take)

    store.watch_later("/a", fired, take)
    rig.until(lambda: read == [b"0"], "the first read")
    for version, data in enumerate((b"1", b"2")):
        other.commit([Set(path="/a", data=data, version=version)])
        rig.until(lambda data=data: read[-1] == data, "the change")  # type: ignore[misc]
    other.commit([Delete(path="/a")])

    rig.until(lambda: read == [b"0", b"1", b"2", None], "the end")


def test_a_watch_fires_when_the_connection_goes(rig: Rig) -> None:
    """The server forgets it, so whoever waits must look again."""
    store = rig.connect()
    store.ensure("/a")
    fired: list[str] = []
    store.watch_once("/a", lambda: fired.append("a"))

    rig.suspend(store)

    rig.until(lambda: fired == ["a"], "the watch")


def test_a_callback_must_not_wait(rig: Rig) -> None:
    """It would wait for itself: that is an assertion, not a hang."""
    store = rig.connect()
    store.ensure("/a")
    caught: list[str] = []

    def wait_inside(_answer: object) -> None:
        try:
            store.read("/a")
        except AssertionError as error:
            caught.append(str(error))

    store.read_later("/a", wait_inside)

    rig.until(lambda: caught, "the assertion")
    assert "must not wait" in caught[0]
