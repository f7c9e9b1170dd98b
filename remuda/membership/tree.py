"""What a process takes for granted in ZooKeeper, and makes again if somebody removes it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from remuda.runtime.ground import Ground
from remuda.store.api import Create, Done, MissingError, Op, StoreError
from remuda.store.mirror import lineage

#: What is removed again and again is made again so often.
RESTORE_AGAIN_S: Final = 5.0


def never() -> bool:
    """Have no reason to leave it as it is."""
    return False


@dataclass(slots=True)
class Tree:
    """Parents of everything that a process writes.

    Attributes:
        paths: Those that are made again; what else it takes for granted is not begun anew.
        halted: Whether nothing may be written: this is not our ZooKeeper.
    """

    ground: Ground[Any]
    paths: tuple[str, ...]
    halted: Callable[[], bool] = never
    _due_s: float = 0.0

    def is_torn(self, ops: Sequence[Op], error: object) -> bool:
        """Whether *ops* were rejected because something is gone that is taken for granted."""
        if not isinstance(error, MissingError):
            return False
        return error.path in self.paths or any(
            isinstance(op, Create) and op.path == error.path for op in ops
        )

    def restore(self, why: object, now_s: float) -> None:
        """Have parents made again that somebody has removed, but not all the time.

        Without them nothing is written any more, and every transaction is merely tried again.
        """
        if now_s < self._due_s or self.halted():
            return
        self._due_s = now_s + RESTORE_AGAIN_S
        self.ground.log.warning("store.tree-missing", why=str(why))
        for path in sorted({step for one in self.paths for step in lineage(one)}):
            self.ground.store.commit_later([Create(path=path)], whatever)


def whatever(_result: tuple[Done, ...] | StoreError) -> None:
    """Whatever the answer: what is still missing is noticed by the next transaction."""
