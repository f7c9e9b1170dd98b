"""Reading the log of a build: whole, piece by piece, and while it is written."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.log.build_log import BuildLog
from builder.log.pages import LogPages
from remuda.images.buildlog import (
    PART_BYTES,
    Anew,
    Gap,
    Heading,
    LogStep,
    LogTeller,
    LogView,
    Output,
    Piece,
    Progress,
    decode_progress,
    encode_progress,
    erase_log,
    read_log,
)
from remuda.images.following import AWAY_S, LogFollower
from remuda.model.build import Build, BuildEvent, BuildState, Why, encode_build
from remuda.model.image import BuildId
from remuda.runtime.clock import SystemClock
from remuda.store import paths
from remuda.store.api import Create, Set, StoreAwayError
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.support.deadline import wait_for

BUILD = BuildId("debian", 7)
UNDER_WAY = Build(
    id=BUILD, state=BuildState.BUILDING, why=Why.AGE, requested_s=1.0, since_s=1.0, attempt=0
)


@pytest.fixture
def store() -> FakeStore:
    """A ZooKeeper with a build under way."""
    store = FakeZookeeper().connect()
    store.ensure(paths.builds(BUILD.image))
    store.commit([Create(path=paths.build(BUILD), data=encode_build(UNDER_WAY))])
    return store


def finish(store: FakeStore) -> None:
    """End the build."""
    stored = store.read(paths.build(BUILD))
    assert stored is not None
    after = UNDER_WAY.after(BuildEvent.FAILED, now_s=2.0)
    store.commit([Set(path=stored.path, data=encode_build(after), version=stored.version)])


def step(name: str, at: int) -> LogStep:
    """Return a step that is done."""
    return LogStep(name=name, at=at, since_s=1.0, seconds=1.0, ok=True)


def test_progress_survives_its_codec() -> None:
    """Also what is unknown yet."""
    one = Progress(
        writer="me",
        size=7,
        dropped=3,
        steps=(step("a", 0), LogStep(name="b", at=5, since_s=2.0)),
        steps_dropped=1,
    )

    assert decode_progress(BUILD, encode_progress(one)) == one
    assert one.step is not None
    assert one.step.name == "b"


def test_headings_stand_where_steps_began() -> None:
    """Also those that printed nothing."""
    progress = Progress(
        writer="me", size=6, steps=(step("a", 0), step("b", 3), step("c", 3), step("d", 6))
    )
    told = list(LogTeller().news(LogView(progress=progress, parts={0: b"onetwo"})))

    assert [one.step.name if isinstance(one, Heading) else one for one in told] == [
        *("a", Output(b"one"), "b", "c", Output(b"two"), "d")
    ]


def test_steps_in_what_was_dropped_are_told_before_the_gap() -> None:
    """Their output is gone, they are not."""
    size = PART_BYTES * 9
    progress = Progress(writer="me", size=size, steps=(step("a", 0), step("b", PART_BYTES * 2)))
    parts = {0: b"x" * PART_BYTES, PART_BYTES * 8: b"y" * PART_BYTES}
    told = list(LogTeller().news(LogView(progress=progress, parts=parts)))

    assert [type(one) for one in told] == [Heading, Output, Heading, Gap, Output]
    assert told[3] == Gap(PART_BYTES * 7)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3 * PART_BYTES), max_size=12), st.data())
def test_whoever_reads_on_gets_each_byte_once(writes: list[bytes], data: st.DataObject) -> None:
    """Whenever they look, as long as they are not left behind."""
    pages, teller, got = LogPages(), LogTeller(), b""
    for one in writes:
        pages.append(one)
        if data.draw(st.booleans()):
            got += output(teller.news(view_of(pages)))
    got += output(teller.news(view_of(pages)))

    whole = b"".join(writes)
    if not pages.dropped:
        assert got == whole
    assert whole.endswith(got[-PART_BYTES:])


def test_a_part_that_grew_while_it_was_read_waits_for_the_next_look() -> None:
    """Else its end would be missed."""
    teller = LogTeller()
    progress = Progress(writer="me", size=PART_BYTES + 1)
    torn = LogView(progress=progress, parts={0: b"ab", PART_BYTES: b"z"})
    whole = LogView(progress=progress, parts={0: b"ab" * (PART_BYTES // 2), PART_BYTES: b"z"})

    assert output(teller.news(torn)) == b"ab"
    assert output(teller.news(whole)) == (b"ab" * (PART_BYTES // 2) + b"z")[2:]


def test_another_writer_begins_anew() -> None:
    """And that is said."""
    teller = LogTeller()
    list(teller.news(LogView(progress=Progress(writer="one", size=3), parts={0: b"one"})))
    told = list(teller.news(LogView(progress=Progress(writer="two", size=1), parts={0: b"t"})))

    assert told == [Anew(), Output(b"t")]


def test_there_may_be_no_log(store: FakeStore) -> None:
    """An empty znode is none either."""
    assert read_log(store, BUILD) is None
    store.ensure(paths.image_log(BUILD))
    assert read_log(store, BUILD) is None
    erase_log(store, BUILD)
    assert store.read(paths.image_log(BUILD)) is None


def test_strange_children_of_a_log_are_left_out(store: FakeStore) -> None:
    """And go with it."""
    log = BuildLog(store, BUILD, writer="me")
    log.write(b"text")
    log.close()
    assert log.settle(60)
    store.commit([Create(path=f"{paths.image_log(BUILD)}/strange", data=b"x")])
    found = read_log(store, BUILD)

    assert found is not None
    assert found.parts == {0: b"text"}
    erase_log(store, BUILD)
    assert store.children(paths.image_logs(BUILD.image)) == ()


# -- following -------------------------------------------------------------------------------


class Following:
    """Somebody who follows a log in a thread of their own."""

    def __init__(self, store: FakeStore, clock: ManualClock | SystemClock) -> None:
        self.pieces: list[Piece] = []
        self.error: Exception | None = None
        self._follower = LogFollower(store, BUILD, clock, look_s=0.02)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for one in self._follower.pieces():
                self.pieces.append(one)
        except StoreAwayError as error:
            self.error = error

    def text(self) -> bytes:
        """Return what was printed so far."""
        return output(iter(self.pieces))

    def ended(self) -> bool:
        """Whether there is nothing more to come."""
        self._thread.join(0.01)
        return not self._thread.is_alive()


def test_a_log_is_followed_to_its_end_over_lost_sessions(store: FakeStore) -> None:
    """From before it is begun."""
    zookeeper = store.wire._zookeeper
    reader = zookeeper.connect()
    following = Following(reader, SystemClock())
    log = BuildLog(zookeeper.connect(), BUILD, writer="me", interval_s=0.01)
    log.step("one")
    log.write(b"first\n")
    wait_for(lambda: following.text() == b"first\n", deadline_s=60, what="the first line")
    reader.suspend()
    log.write(b"second\n")
    reader.expire()
    wait_for(lambda: following.text() == b"first\nsecond\n", deadline_s=60, what="the second")
    log.write(b"last")
    log.close()
    assert log.settle(60)
    finish(store)

    wait_for(following.ended, deadline_s=60, what="the end")
    assert following.text() == b"first\nsecond\nlast"
    assert following.error is None


def test_a_watch_that_has_not_fired_is_not_set_again(
    store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look would leave another one behind, for as long as nothing is printed."""
    zookeeper = store.wire._zookeeper
    log = BuildLog(zookeeper.connect(), BUILD, writer="me", interval_s=0.01)
    log.write(b"first\n")
    reader = zookeeper.connect()
    watches, looks = [], []
    watch, read = reader.watch_once, reader.read
    monkeypatch.setattr(reader, "watch_once", lambda *some: (watches.append(some), watch(*some))[1])
    monkeypatch.setattr(reader, "read", lambda path: (looks.append(path), read(path))[1])
    following = Following(reader, SystemClock())
    wait_for(lambda: following.text() == b"first\n", deadline_s=60, what="the first line")
    wait_for(lambda: len(looks) > 30, deadline_s=60, what="many looks")
    before, seen = len(watches), len(looks)
    wait_for(lambda: len(looks) > seen + 30, deadline_s=60, what="many more looks")
    assert len(watches) == before

    log.write(b"second")
    log.close()
    assert log.settle(60)
    finish(store)
    wait_for(following.ended, deadline_s=60, what="the end")
    assert following.text() == b"first\nsecond"


def test_a_build_that_ends_without_a_log_ends_the_waiting(store: FakeStore) -> None:
    """It may never have begun."""
    following = Following(store.wire._zookeeper.connect(), SystemClock())
    finish(store)

    wait_for(following.ended, deadline_s=60, what="the end")
    assert following.pieces == []


def test_a_log_that_nobody_closes_ends_a_while_after_its_build(store: FakeStore) -> None:
    """Its writer has died."""
    log = BuildLog(store.wire._zookeeper.connect(), BUILD, writer="me", interval_s=0.01)
    log.write(b"a line\n")
    clock = ManualClock()
    following = Following(store.wire._zookeeper.connect(), clock)
    wait_for(lambda: following.text() == b"a line\n", deadline_s=60, what="the line")
    finish(store)
    assert not following.ended()

    def ended() -> bool:
        clock.advance(1.0)
        return following.ended()

    wait_for(ended, deadline_s=60, what="the end")
    log.close()


def test_a_zookeeper_that_stays_away_is_told(store: FakeStore) -> None:
    """Not before it had its time to come back."""
    clock = ManualClock()
    reader = store.wire._zookeeper.connect()
    reader.suspend()
    following = Following(reader, clock)
    assert not following.ended()
    clock.advance(AWAY_S + 1.0)

    wait_for(following.ended, deadline_s=60, what="the end")
    assert following.error is not None


def output(pieces: Iterator[Piece]) -> bytes:
    """Return what was printed."""
    return b"".join(one.data for one in pieces if isinstance(one, Output))


def view_of(pages: LogPages) -> LogView:
    """Return the pages as they would be read."""
    return LogView(
        progress=Progress(writer="me", size=pages.size, dropped=pages.dropped),
        parts={index * PART_BYTES: part for index, part in pages.parts.items()},
    )
