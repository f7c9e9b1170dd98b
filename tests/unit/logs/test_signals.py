"""Signals become events, in a thread, and everything is put back afterwards."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from remuda.runtime.signals import ECHO_S, Signals, thread_stacks
from tests.fakes.clock import ManualClock
from tests.support.deadline import wait_for

DEADLINE_S = 60.0


class Left:
    """Takes the place of the process's end."""

    def __init__(self) -> None:
        self.numbers: queue.Queue[int] = queue.Queue()

    def __call__(self, number: int) -> None:
        """Note it."""
        self.numbers.put(number)


@pytest.fixture
def woken() -> threading.Event:
    """Return what stands for the inbox."""
    return threading.Event()


@pytest.fixture
def signals(woken: threading.Event) -> Iterator[Signals]:
    """Install the handlers for one test."""
    with Signals(wake=woken.set) as installed:
        yield installed


def test_sigterm_asks_to_stop_and_wakes(signals: Signals, woken: threading.Event) -> None:
    """The inbox learns at once."""
    os.kill(os.getpid(), signal.SIGTERM)

    wait_for(signals.stop, DEADLINE_S, "stop")
    wait_for(woken, DEADLINE_S, "the wake-up")
    assert not signals.reload.is_set()


def test_sigint_asks_to_stop_without_a_keyboard_interrupt(signals: Signals) -> None:
    """Nothing is torn out of its work."""
    os.kill(os.getpid(), signal.SIGINT)

    wait_for(signals.stop, DEADLINE_S, "stop")


def test_sighup_asks_to_reload(signals: Signals, woken: threading.Event) -> None:
    """And says nothing of stopping."""
    os.kill(os.getpid(), signal.SIGHUP)

    wait_for(signals.reload, DEADLINE_S, "reload")
    wait_for(woken, DEADLINE_S, "the wake-up")
    assert not signals.stop.is_set()


def test_sigusr2_logs_the_stack_of_every_thread(
    signals: Signals, caplog: pytest.LogCaptureFixture
) -> None:
    """For a process that hangs; it goes on afterwards."""
    os.kill(os.getpid(), signal.SIGUSR2)

    wait_for(lambda: "test_sigusr2" in caplog.text, DEADLINE_S, "our own stack in the log")
    assert not signals.stop.is_set()


def test_what_was_there_before_is_put_back() -> None:
    """Handlers and the wake-up socket."""
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    with Signals():
        os.kill(os.getpid(), signal.SIGHUP)

    after = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]

    assert before == after
    assert signal.set_wakeup_fd(-1) == -1
    assert "signals" not in {thread.name for thread in threading.enumerate()}


def test_an_echo_of_a_signal_is_the_same_word(woken: threading.Event) -> None:
    """`timeout remuda launcher …` sends two: what stops is not cut short by that."""
    clock, left = ManualClock(), Left()
    with Signals(wake=woken.set, leave=left, clock=clock) as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for(signals.stop, DEADLINE_S, "stop")
        clock.advance(ECHO_S / 2)
        os.kill(os.getpid(), signal.SIGTERM)
        # Signals are read in order: once this one has been, the echo has been, too.
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(signals.reload, DEADLINE_S, "reload")

    assert left.numbers.empty()


def test_another_kind_of_signal_is_no_second_one(woken: threading.Event) -> None:
    """A Ctrl-C reaches a whole group; who started us passes it on as a SIGTERM."""
    clock, left = ManualClock(), Left()
    with Signals(wake=woken.set, leave=left, clock=clock) as signals:
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(signals.stop, DEADLINE_S, "stop")
        clock.advance(10 * ECHO_S)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(signals.reload, DEADLINE_S, "reload")

    assert left.numbers.empty()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_somebody_who_insists_is_obeyed(number: signal.Signals) -> None:
    """The second one of a kind, later, ends the process at once."""
    clock, left = ManualClock(), Left()
    with Signals(leave=left, clock=clock) as signals:
        os.kill(os.getpid(), number)
        wait_for(signals.stop, DEADLINE_S, "stop")
        clock.advance(ECHO_S)
        os.kill(os.getpid(), number)

        assert left.numbers.get(timeout=DEADLINE_S) == number


def test_a_process_that_hangs_while_it_stops_is_ended_by_the_second_sigterm() -> None:
    """Whatever its main thread is at; a shell, and systemd, see 128 and the signal's number."""
    program = (
        "import threading\n"
        "from remuda.runtime.signals import Signals\n"
        "with Signals() as signals:\n"
        "    print('up', flush=True)\n"
        "    signals.stop.wait()\n"
        "    print('stopping', flush=True)\n"
        "    threading.Event().wait(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.stdout.readline() == "stopping\n"

        def ended() -> bool:
            # Those that come too soon count as echoes: how soon is the machine's business.
            process.terminate()
            return process.poll() is not None

        wait_for(ended, DEADLINE_S, "its end")
        assert process.returncode == 128 + signal.SIGTERM


def test_stacks_name_their_threads() -> None:
    """The main thread is in this function."""
    stacks = thread_stacks()

    main = next(stack for name, stack in stacks.items() if name.startswith("MainThread"))
    assert "test_stacks_name_their_threads" in main
