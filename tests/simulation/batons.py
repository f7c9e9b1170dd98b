"""Real hands in virtual time: each in a thread of its own, of which one runs at any time.

A hand that waits hands the baton back, and gets it again when the timetable comes to that. So what
happens is up to the seed alone, though the hands block.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.timetable import Timetable
from tests.support.handover import Handover

#: A wait takes so long at least: else who looks again at once never hands the baton back.
WAIT_S_MIN: Final = 0.01


class DeadError(BaseException):  # no hand may swallow it
    """The process of the hand was killed."""


@dataclass(slots=True)
class Baton:
    """One hand.

    Attributes:
        work: What it does; it may call :meth:`wait`.
        alive: Whether its process is.
        ended: Whether it has returned, or is dead.
    """

    timetable: Timetable
    work: Callable[["Baton"], None]
    alive: Callable[[], bool]
    ended: bool = False
    _turn: Handover = field(default_factory=Handover)
    _error: BaseException | None = None

    def begin(self, delay_s: float) -> None:
        """Have it begin a little later."""
        threading.Thread(target=self._run, daemon=True).start()
        self.timetable.after(delay_s, self._step)

    def wait(self, seconds: float) -> None:
        """Let time pass; called by the hand itself.

        Raises:
            DeadError: Its process has died meanwhile.
        """
        self.timetable.after(max(WAIT_S_MIN, seconds), self._step)
        self._turn.hand_back()
        if not self.alive():
            raise DeadError

    def _step(self) -> None:
        """Let it go on until it waits or ends; what it has raised is raised here."""
        self._turn.let_go_on()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        self._turn.begin()
        try:
            if self.alive():
                self.work(self)
        except DeadError:
            pass
        except BaseException as exc:  # noqa: BLE001 - it is raised where the simulator runs
            self._error = exc
        self.ended = True
        self._turn.end()
