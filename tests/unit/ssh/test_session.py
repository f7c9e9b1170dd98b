"""How the end of a command over a session is waited for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from remuda.ssh.link import Link
from remuda.ssh.session import SshSession, _Call, _drain
from remuda.ssh.streams import OutStream
from tests.fakes.clock import ManualClock


def call(limit_s: float | None, stopped: Callable[[], bool]) -> _Call:
    """Return a command."""
    return _Call(
        command="x",
        env={},
        sinks=(None, None),
        feed=lambda _writer: None,
        limit_s=limit_s,
        stopped=stopped,
    )


@contextmanager
def chatter(clock: ManualClock) -> Iterator[tuple[OutStream, threading.Event]]:
    """Yield the output of a process that prints a byte now and then, and what ends it."""
    end = threading.Event()

    def receive(_size: int) -> bytes:
        if end.wait(0.01):
            return b""
        clock.advance(0.1)
        return b"."

    stream = OutStream(receive, None, "chatter")
    stream.start()
    try:
        yield stream, end
    finally:
        end.set()
        stream.finish()


@pytest.mark.parametrize("how", ["limit", "stopped"])
def test_a_process_left_behind_that_prints_now_and_then_does_not_hold_us(how: str) -> None:
    """A command that has a limit ends soon after its exit code; and at once when told to stop."""
    clock = ManualClock()
    session = SshSession(cast("Link", cast("Any", None)), "key", clock)
    with chatter(clock) as (stream, end):
        enough = session._enough(call(60.0, lambda: how == "stopped"))
        thread = threading.Thread(target=_drain, args=((stream,), enough), daemon=True)
        thread.start()
        thread.join(60.0)
        ended = not thread.is_alive()
        end.set()

    assert ended


def test_a_command_without_a_limit_waits_for_its_output() -> None:
    """However long its reader takes."""
    clock = ManualClock()
    session = SshSession(cast("Link", cast("Any", None)), "key", clock)
    enough = session._enough(call(None, lambda: True))
    clock.advance(3600.0)

    assert not enough()
