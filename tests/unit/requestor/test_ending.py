"""Signals end a command at a moment that suits it, but soon."""

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Iterator

import pytest

from remuda.runtime.signals import pass_by
from requestor.commands.ending import EndedError, Ending
from tests.fakes.clock import ManualClock
from tests.support.deadline import wait_for

DEADLINE_S = 60.0


class Left:
    """Takes the place of the process's end."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[int, str]] = queue.Queue()

    def __call__(self, number: int, why: str) -> None:
        """Note it."""
        self.calls.put((number, why))


@pytest.fixture
def left() -> Left:
    """Who is told of the end."""
    return Left()


@pytest.fixture
def ending(left: Left) -> Iterator[Ending]:
    """Listen for one test; no grace time ends within it."""
    one = Ending(grace_s=3600.0, leave=left)
    one.__enter__()
    yield one
    one.close()


def send(number: signal.Signals) -> None:
    """Send ourselves a signal."""
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_with_nothing_to_lose_a_signal_ends_at_once(
    ending: Ending, left: Left, number: signal.Signals
) -> None:
    """And without a word."""
    send(number)

    assert left.calls.get(timeout=DEADLINE_S) == (number, "")
    assert not ending.asked


def test_signals_of_others_are_not_ours(ending: Ending, left: Left) -> None:
    """A window that changes its size, which some library handles, ends no command."""
    before = signal.signal(signal.SIGWINCH, pass_by)
    try:
        send(signal.SIGWINCH)
        send(signal.SIGTERM)  # told after it, so that we need not wait for nothing

        assert left.calls.get(timeout=DEADLINE_S) == (signal.SIGTERM, "")
    finally:
        signal.signal(signal.SIGWINCH, before)
    assert left.calls.empty()
    assert not ending.asked


def test_the_first_signal_asks_and_wakes(ending: Ending, left: Left) -> None:
    """On another thread than ours, which may hold any lock."""
    woken: queue.Queue[str] = queue.Queue()
    ending.hold_off()
    ending.on_asked(lambda: woken.put(threading.current_thread().name))
    ending.check()
    send(signal.SIGTERM)

    assert woken.get(timeout=DEADLINE_S) == "ending"
    with pytest.raises(EndedError) as ended:
        ending.check()
    assert ended.value.number == signal.SIGTERM
    assert left.calls.empty()


def test_who_comes_late_is_woken_at_once(ending: Ending) -> None:
    """Nobody may wait for a signal that came before."""
    woken = threading.Event()
    ending.hold_off()
    send(signal.SIGTERM)
    wait_for(lambda: ending.asked, DEADLINE_S, "the signal")
    ending.on_asked(woken.set)

    assert woken.is_set()


def test_the_second_signal_leaves(ending: Ending, left: Left) -> None:
    """Whichever it is."""
    ending.hold_off()
    send(signal.SIGTERM)
    wait_for(lambda: ending.asked, DEADLINE_S, "the first")
    send(signal.SIGINT)

    assert left.calls.get(timeout=DEADLINE_S) == (signal.SIGINT, "asked twice; leaving at once")


class CountingClock(ManualClock):
    """Knows how often it was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def monotonic_s(self) -> float:
        """Return the time."""
        self.looks += 1
        return super().monotonic_s()


def test_one_word_that_comes_twice_at_once_is_one_word(left: Left) -> None:
    """As timeout(1) sends it; who insists later is obeyed."""
    clock = CountingClock()
    ending = Ending(grace_s=3600.0, leave=left, clock=clock)
    ending.__enter__()
    try:
        ending.hold_off()
        send(signal.SIGTERM)
        wait_for(lambda: ending.asked, DEADLINE_S, "the first")
        send(signal.SIGTERM)
        wait_for(lambda: clock.looks == 2, DEADLINE_S, "its echo")
        send(signal.SIGHUP)  # told after it, so that we need not wait for nothing

        assert left.calls.get(timeout=DEADLINE_S)[0] == signal.SIGHUP
        assert left.calls.empty()
        clock.advance(1.0)
        send(signal.SIGTERM)
        assert left.calls.get(timeout=DEADLINE_S)[0] == signal.SIGTERM
    finally:
        ending.close()


def test_the_grace_time_ends(left: Left) -> None:
    """Whatever the main thread waits for."""
    ending = Ending(grace_s=0.01, leave=left)
    with contextlib.suppress(EndedError), ending:
        ending.hold_off()
        send(signal.SIGHUP)
        number, why = left.calls.get(timeout=DEADLINE_S)
    ending.close()

    assert number == signal.SIGHUP
    assert "more than 0.01 s" in why


def test_what_a_shell_ignores_stays_ignored(left: Left) -> None:
    """As nohup(1) wants."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending(leave=left) as ending:
            ending.hold_off()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_error_on_the_way_out_does_not_hide_the_signal(left: Left) -> None:
    """What the interruption broke is no news."""

    def interrupted(ending: Ending) -> None:
        with ending:
            ending.hold_off()
            send(signal.SIGTERM)
            wait_for(lambda: ending.asked, DEADLINE_S, "the signal")
            raise ConnectionError("closed under our feet")

    ending = Ending(grace_s=3600.0, leave=left)
    with pytest.raises(EndedError):
        interrupted(ending)
    ending.close()


def test_elsewhere_than_in_the_main_thread_nothing_is_installed() -> None:
    """Only there Python lets us."""
    seen: list[object] = []

    def listen() -> None:
        with Ending():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join(DEADLINE_S)

    assert seen == [before]
