"""Threads that take turns in virtual time: one runs at a time, and always the same one next."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tests.fakes.clock import ManualClock
from tests.support.handover import Handover


class DiedError(BaseException):
    """The process is dead: no code of it runs on, whatever it catches."""


class Process(Protocol):
    """What a thread belongs to.

    Attributes:
        dead: None of its threads comes back from a wait.
        frozen: None of them runs for now.
    """

    dead: bool
    frozen: bool


class Task:
    """One hand at work; one that waits has a thread of its own, which runs in :meth:`resume` only.

    Attributes:
        wakes_s: Until when it waits (monotonic).
        error: What ended it, if it was no death.
    """

    def __init__(self, work: Callable[[], None], process: Process, *, waits: bool) -> None:
        self.process = process
        self.wakes_s = float("-inf")
        self.over = False
        self.error: BaseException | None = None
        self._work = work
        self._turn = Handover()
        self._thread = threading.Thread(target=self._run, daemon=True) if waits else None
        if self._thread is not None:
            self._thread.start()

    def resume(self) -> None:
        """Let it run until it waits, or has ended."""
        if self._thread is None:
            self._do()
            return
        self._turn.let_go_on()
        if self.over:
            self._thread.join()

    def wait(self, until_s: float) -> None:
        """Let the others run; called in its own thread."""
        assert self._thread is threading.current_thread(), "it has no thread to wait in"
        self.wakes_s = until_s
        self._turn.hand_back()
        if self.process.dead:
            raise DiedError

    def _run(self) -> None:
        self._turn.begin()
        self._do()
        self._turn.end()

    def _do(self) -> None:
        try:
            with suppress(DiedError):
                if not self.process.dead:
                    self._work()
        except BaseException as exc:  # noqa: BLE001 - raised where the test is
            self.error = exc
        self.over = True


class Tasks:
    """All of them.

    Attributes:
        wait_s_min: A wait lasts so long at least: those of hands are short, and many.
    """

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.wait_s_min = 0.0
        self.some: list[Task] = []
        self._current: Task | None = None

    def add(self, work: Callable[[], None], process: Process, *, waits: bool) -> None:
        """Begin one; it runs when it is its turn."""
        self.some.append(Task(work, process, waits=waits))

    def pause(self, seconds: float) -> None:
        """Wait; for hands. Whoever is dead while it waits does not come back."""
        assert self._current is not None, "only hands wait"
        self._current.wait(self.clock.monotonic_s() + max(seconds, self.wait_s_min))

    def run_due(self) -> bool:
        """Let all run whose time has come, and those whose process is dead end."""
        now_s = self.clock.monotonic_s()
        some = [one for one in self.some if not one.process.frozen]
        due = [one for one in some if one.wakes_s <= now_s or one.process.dead]
        before = self._current
        for one in due:
            if one.over or one.process.frozen:
                continue  # meanwhile
            self._current = one
            one.resume()
            self._current = before
            if one.over:
                self.some.remove(one)
            if one.error is not None:
                raise one.error
        return bool(due)

    def next_s(self) -> float:
        """Return when the next one wants to run."""
        some = [one.wakes_s for one in self.some if not one.process.frozen]
        return min(some, default=float("inf"))
