"""Signals at any moment: the command ends soon, with the right code, and leaves nothing behind."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from remuda.store import paths
from remuda.store.api import RejectedError, StoreAwayError
from tests.contract.requestor.conftest import DEADLINE_S, Bench
from tests.support.deadline import wait_for

pytestmark = [pytest.mark.zk, pytest.mark.slow]

ROOT = Path(__file__).parents[3]
RUNS = 12
AT_ONCE = 4
BUSY = 3
#: From before the first import until long after the node was lent, on a busy machine.
LATEST_S = 3.5
#: A shell shows 128 and the number for these, too: before a command listens, signals just kill.
CODES = {
    signal.SIGINT: {130, -signal.SIGINT},
    signal.SIGTERM: {143, -signal.SIGTERM},
    signal.SIGHUP: {129, -signal.SIGHUP},
}
#: The grace time, and as much again for a busy machine.
SOON_S = 60.0


def start(bench: Bench, *words: str) -> subprocess.Popen[str]:
    """Start `remuda` in a process of its own, from its own entry point."""
    entry = "from remuda.__main__ import run; run()"
    return subprocess.Popen(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path[:] = {sys.path!r}; {entry}",
            *words,
            "--zookeeper",
            bench.hosts,
        ],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def busy_machine() -> Iterator[None]:
    """Take the processors away, so that a signal finds everybody in the middle of something."""
    with ExitStack() as undo:
        for _ in range(BUSY):
            loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            undo.callback(loop.wait)
            undo.callback(loop.kill)
        yield


@contextmanager
def lender(bench: Bench) -> Iterator[None]:
    """Lend to every second request, as a launcher would."""
    over = threading.Event()

    def lend() -> None:
        while not over.wait(0.02):
            for name in bench.launcher.store.children(paths.REQUESTS):
                if int(name[-1]) % 2:
                    with suppress(RejectedError, AssertionError):  # just cancelled, or just served
                        bench.launcher.lend(name)

    thread = threading.Thread(target=lend)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def interrupted(bench: Bench, dice: random.Random) -> str:
    """Run one command, send it a signal at some moment, and say what was wrong; empty: nothing."""
    words = dice.choice([("request", "small", "--wait"), ("run", "small", "--", "true")])
    number = dice.choice(list(CODES))
    delay_s = dice.uniform(0.0, LATEST_S)
    process = start(bench, *words)
    try:
        process.wait(delay_s)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    else:
        process.communicate()
        return ""  # over before the signal
    sent_s = time.monotonic()
    what = f"{words[0]}, {number.name} after {delay_s:.3f} s"
    try:
        _, said = process.communicate(timeout=SOON_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"{what}: still there after {SOON_S} s"
    if process.returncode not in CODES[number] or "Traceback" in said:
        took_s = time.monotonic() - sent_s
        return f"{what}: code {process.returncode} after {took_s:.1f} s: {said[-2000:]}"
    return ""


@pytest.mark.parametrize("seed", [1])
def test_signals_at_any_moment(bench: Bench, seed: int) -> None:
    """No hang, no traceback, and nothing stays behind. More seeds: more moments."""
    wrong: list[str] = []
    with busy_machine(), lender(bench):
        for batch in range(0, RUNS, AT_ONCE):
            dices = [
                random.Random(f"{seed}-{batch + i}")  # noqa: S311 - nothing to hide
                for i in range(AT_ONCE)
            ]
            threads = [
                threading.Thread(target=lambda dice=dice: wrong.append(interrupted(bench, dice)))
                for dice in dices
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    store = bench.launcher.store
    assert [one for one in wrong if one] == []
    # Whoever was killed before it could listen leaves that to the end of its session.
    wait_for(lambda: not store.children(paths.REQUESTS), DEADLINE_S, "the end of all requests")
    wait_for(
        lambda: not any(bench.launcher.locks(name) for name in store.children(paths.NODES)),
        DEADLINE_S,
        "the end of all locks",
    )


@contextmanager
def silent(bench: Bench) -> Iterator[None]:
    """Have ZooKeeper neither answer nor refuse."""
    pid = bench.server.pid
    assert pid is not None
    subprocess.run(["/bin/kill", "-STOP", str(pid)], check=True)
    try:
        yield
    finally:
        subprocess.run(["/bin/kill", "-CONT", str(pid)], check=True)


def waiting(bench: Bench) -> subprocess.Popen[str]:
    """Start a command that waits for its node."""
    process = start(bench, "request", "small", "--wait")
    wait_for(lambda: bench.launcher.store.children(paths.REQUESTS), DEADLINE_S, "the request")
    return process


def no_requests(bench: Bench) -> bool:
    """Say whether there are none; ZooKeeper may not be back yet."""
    try:
        return not bench.launcher.store.children(paths.REQUESTS)
    except StoreAwayError:
        return False


def test_a_silent_zookeeper_does_not_keep_us(bench: Bench) -> None:
    """After the grace time the rest is left to the end of the session."""
    process = waiting(bench)
    with silent(bench):
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=SOON_S)

    assert process.returncode == 143
    assert "left to the launcher" in said
    wait_for(lambda: no_requests(bench), 2 * DEADLINE_S, "the end of the request")


def test_who_insists_is_obeyed(bench: Bench) -> None:
    """The second signal does not wait for anything."""
    process = waiting(bench)
    with silent(bench):
        process.send_signal(signal.SIGINT)
        time_out = 0.5  # still busy with giving back
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(time_out)

        def insist() -> bool:  # what comes too soon after the first is an echo of it
            process.send_signal(signal.SIGINT)
            return process.poll() is not None

        wait_for(insist, DEADLINE_S, "the end of the command")
        _, said = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 130
    assert said.endswith("remuda: asked twice; leaving at once\n")
