"""Folding autoholds, and the ledger of holds, into the world."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.world import World
from remuda.frame.set_aside import SetAside
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put


@dataclass(slots=True)
class AutoholdFold:
    """Folds autoholds into *world*: they are looked at when a job fails, and not before.

    Attributes:
        aside: Told of those for which there is no room.
        read: Has a record read that the mirror has told of already; it will tell again.
    """

    world: World
    aside: SetAside
    read: Callable[[str], None]

    def take(self, change: Put | Dirty | Gone) -> None:
        """Take in what became of one, and have others read if there is room for them now."""
        try:
            out = self.world.autoholds.take(change)
            if out is not None:
                self.aside.no_room(paths.autohold(out))
        finally:
            self._fill()

    def look_again(self) -> None:
        """Have those read for which there is room: a read may have met a lost connection."""
        self.world.autoholds.asked.clear()
        self._fill()

    def _fill(self) -> None:
        for name in self.world.autoholds.to_read():
            self.read(paths.autohold(name))


def take_hold_ledger(world: World, change: Put | Dirty | Gone) -> None:
    """Take in that somebody has kept one more machine."""
    if isinstance(change, Put) and change.stored is not None:
        world.holds_version = change.stored.version
