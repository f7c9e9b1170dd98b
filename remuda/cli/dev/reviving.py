"""Replacing launchers that die, as whoever runs them for real would: soon, but not for ever."""

from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from remuda.cli.dev.children import ChildEndedError, ChildProcesses
from remuda.runtime.clock import Clock

#: A launcher that dies more often than this within the time below will not live.
DEATHS_MAX: Final = 5
DEATHS_WITHIN_S: Final = 120.0
_FIRST_S: Final = 1.0


class Reviver:
    """Watches children until one ends for good; starts some of them again.

    Args:
        children: All of them.
        revivable: Names of those that are started again; the end of any other is the end.
        tell: Called with a sentence for people.
        clock: The time.
        revived: Called when a replacement was started.
    """

    def __init__(
        self,
        children: ChildProcesses,
        revivable: Collection[str],
        *,
        tell: Callable[[str], object],
        revived: Callable[[], object],
        clock: Clock,
    ) -> None:
        self._children = children
        self._deaths: dict[str, deque[float]] = {name: deque() for name in revivable}
        self._due_s: dict[str, float] = {}
        self._tell = tell
        self._revived = revived
        self._clock = clock

    def watch(self) -> None:
        """Go on until a child ends that cannot be replaced.

        Raises:
            ChildEndedError: Then.
        """
        while True:
            self.turn()

    def turn(self) -> None:
        """Wait for one death, or for the time of one replacement, and see to it.

        Raises:
            ChildEndedError: If the dead one cannot be replaced.
        """
        now_s = self._clock.monotonic_s()
        next_s = min(self._due_s.values(), default=None)
        try:
            self._children.wait_ended(None if next_s is None else max(0.0, next_s - now_s))
        except ChildEndedError as ended:
            self._bury(ended)
            return
        for name in [one for one, due_s in self._due_s.items() if due_s <= self._now_s()]:
            del self._due_s[name]
            self._children.start_again(name)
            self._tell(f"{name} is replaced (pid {self._children.pids[name]})")
            self._revived()

    def _bury(self, ended: ChildEndedError) -> None:
        deaths = self._deaths.get(ended.name)
        if deaths is None:
            raise ChildEndedError(f"{ended}; nothing works without it", name=ended.name) from ended
        now_s = self._now_s()
        while deaths and deaths[0] < now_s - DEATHS_WITHIN_S:
            deaths.popleft()
        deaths.append(now_s)
        if len(deaths) > DEATHS_MAX:
            raise ChildEndedError(
                f"{ended}; that was death number {len(deaths)} within {DEATHS_WITHIN_S:g} s",
                name=ended.name,
            ) from ended
        wait_s = _FIRST_S * 2.0 ** (len(deaths) - 1)
        self._due_s[ended.name] = now_s + wait_s
        self._tell(f"{ended}; a replacement starts in {wait_s:g} s")

    def _now_s(self) -> float:
        return self._clock.monotonic_s()
