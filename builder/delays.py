"""What came to nothing is not asked again at once: it waits, longer each time.

The wait ends early when a record that the action was about has changed: then it is another
question. So whatever a hand refuses, and whyever, no builder runs in circles.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from builder.actions import Action
from builder.image.actions import MakeImage
from builder.pointer.actions import DropPointer, MovePointer
from builder.takehome.actions import EndTakeHome, KeepTakeHome, MakeTakeHome
from remuda.frame.work import word
from remuda.model.image import BuildId, UploadId
from remuda.store import paths

#: The first wait; each one after it is twice as long.
DELAY_S: Final = 30.0
DELAY_S_MAX: Final = 600.0

#: What an action does, to what.
DelayKey = tuple[str, str]
#: Versions of the records that an action is about, by path; None: it was not there.
Basis = Mapping[str, int | None]


def key_of(action: Action) -> DelayKey:
    """Return what an action does, to what."""
    return word(action), str(action.id)


def basis_of(action: Action) -> list[str]:
    """Return the path of the record that an action is about, if it is about one."""
    match action:
        case MovePointer() | DropPointer():
            return [paths.pointer(action.image, action.provider)]
        case MakeTakeHome() | EndTakeHome() | KeepTakeHome():
            return [paths.take_home(action.id), paths.take_home_end(action.id)]
        case MakeImage():
            return [paths.image(action.id)]
        case _ if isinstance(action.id, BuildId):
            return [paths.build(action.id)]
        case _ if isinstance(action.id, UploadId):
            return [paths.upload(action.id)]
        case _:
            return []


@dataclass(frozen=True, slots=True)
class Delay:
    """A wait.

    Attributes:
        basis: It ends early when these change; empty: it does not.
    """

    until_s: float
    length_s: float
    basis: Basis
    why: str


@dataclass(slots=True)
class Delays:
    """The waits, by action. All times are monotonic.

    Attributes:
        version: Returns the version of a record now.
    """

    version: Callable[[str], int | None]
    _begun: dict[DelayKey, Basis] = field(default_factory=dict)
    _waits: dict[DelayKey, Delay] = field(default_factory=dict)

    def begin(self, key: DelayKey, paths: Iterable[str]) -> None:
        """Note on which records something begins."""
        self._begun[key] = {path: self.version(path) for path in paths}

    def end(self, key: DelayKey, now_s: float, why: str | None) -> None:
        """Let it wait before it is begun again on the same records, whether it failed or not."""
        basis, before = self._begun.pop(key, {}), self._waits.pop(key, None)
        if not self._changed(basis):
            self._wait(key, before, now_s, basis, why or "it was just done")

    def crashed(self, key: DelayKey, now_s: float, why: str) -> None:
        """Let it wait, whatever has changed: a hand that meets a bug of ours has often written."""
        self._begun.pop(key, None)
        self._wait(key, self._waits.pop(key, None), now_s, {}, why)

    def _wait(
        self, key: DelayKey, before: Delay | None, now_s: float, basis: Basis, why: str
    ) -> None:
        same = before is not None and before.basis == basis
        length_s = DELAY_S
        if before is not None and same:
            length_s = min(before.length_s * 2, DELAY_S_MAX)
        self._waits[key] = Delay(now_s + length_s, length_s, basis, why)

    def done(self, key: DelayKey) -> None:
        """Forget it: it has had its effect."""
        self._begun.pop(key, None)
        self._waits.pop(key, None)

    def holds(self, key: DelayKey, now_s: float) -> Delay | None:
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
        old_s = now_s - DELAY_S_MAX
        self._waits = {key: one for key, one in self._waits.items() if one.until_s > old_s}

    def forget(self) -> None:
        """Forget all waits: what stood in the way may have been the session that is gone."""
        self._waits.clear()

    def _changed(self, basis: Basis) -> bool:
        return any(self.version(path) != version for path, version in basis.items())
