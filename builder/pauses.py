"""What came to nothing is not asked again at once: it waits, longer each time.

The wait ends early when a record that the action was about has changed: then it is another
question. So whatever a hand refuses, and whyever, no builder runs in circles.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

#: The first wait; each one after it is twice as long.
PAUSE_S: Final = 30.0
PAUSE_S_MAX: Final = 600.0

#: What an action does, to what.
PauseKey = tuple[str, str]
#: Versions of the records that an action is about, by path; None: it was not there.
Basis = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait.

    Attributes:
        basis: It ends early when these change; empty: it does not.
    """

    until_s: float
    length_s: float
    basis: Basis
    why: str


@dataclass(slots=True)
class Pauses:
    """The waits, by action. All times are monotonic.

    Attributes:
        version: Returns the version of a record now.
    """

    version: Callable[[str], int | None]
    _begun: dict[PauseKey, Basis] = field(default_factory=dict)
    _waits: dict[PauseKey, Pause] = field(default_factory=dict)

    def begin(self, key: PauseKey, paths: Iterable[str]) -> None:
        """Note on which records something begins."""
        self._begun[key] = {path: self.version(path) for path in paths}

    def end(self, key: PauseKey, now_s: float, why: str | None) -> None:
        """Let it wait before it is begun again on the same records, whether it failed or not."""
        basis, before = self._begun.pop(key, {}), self._waits.pop(key, None)
        if not self._changed(basis):
            self._wait(key, before, now_s, basis, why or "it was just done")

    def crashed(self, key: PauseKey, now_s: float, why: str) -> None:
        """Let it wait, whatever has changed: a hand that meets a bug of ours has often written."""
        self._begun.pop(key, None)
        self._wait(key, self._waits.pop(key, None), now_s, {}, why)

    def _wait(
        self, key: PauseKey, before: Pause | None, now_s: float, basis: Basis, why: str
    ) -> None:
        same = before is not None and before.basis == basis
        length_s = PAUSE_S
        if before is not None and same:
            length_s = min(before.length_s * 2, PAUSE_S_MAX)
        self._waits[key] = Pause(now_s + length_s, length_s, basis, why)

    def done(self, key: PauseKey) -> None:
        """Forget it: it has had its effect."""
        self._begun.pop(key, None)
        self._waits.pop(key, None)

    def holds(self, key: PauseKey, now_s: float) -> Pause | None:
        """Return the wait of what must not be begun yet, or None if it may."""
        pause = self._waits.get(key)
        if pause is None or now_s >= pause.until_s:
            return None
        if self._changed(pause.basis):
            del self._waits[key]
            return None
        return pause

    def tidy(self, now_s: float) -> None:
        """Forget what has long not been asked for."""
        old_s = now_s - PAUSE_S_MAX
        self._waits = {key: one for key, one in self._waits.items() if one.until_s > old_s}

    def forget(self) -> None:
        """Forget all waits: what stood in the way may have been the session that is gone."""
        self._waits.clear()

    def _changed(self, basis: Basis) -> bool:
        return any(self.version(path) != version for path, version in basis.items())
