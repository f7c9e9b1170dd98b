"""Alarms: waiting as data. What is to be judged again at a known time is on a list."""

import heapq
from dataclasses import dataclass, field


@dataclass(slots=True)
class Alarms:
    """What is to be judged again, and when (monotonic seconds); one time for each thing."""

    _timers: list[tuple[float, str, str]] = field(default_factory=list)
    _set: dict[tuple[str, str], float] = field(default_factory=dict)

    def set(self, kind: str, name: str, due_s: float) -> None:
        """Have *name* judged again at *due_s*; an earlier alarm stays."""
        known = self._set.get((kind, name))
        if known is not None and known <= due_s:
            return
        self._set[kind, name] = due_s
        heapq.heappush(self._timers, (due_s, kind, name))

    def ring(self, now_s: float) -> list[tuple[str, str]]:
        """Return kind and name of everything whose time has come, and forget it."""
        rung = []
        while self._timers and self._timers[0][0] <= now_s:
            due_s, kind, name = heapq.heappop(self._timers)
            if self._set.get((kind, name)) == due_s:
                del self._set[kind, name]
                rung.append((kind, name))
        return rung

    def next_s(self) -> float:
        """Return when the next alarm is due; never: infinity."""
        while self._timers and self._set.get(self._timers[0][1:]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else float("inf")
