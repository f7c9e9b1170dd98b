"""Folding autoholds, and the ledger of holds, into the world."""

from launcher.world import World
from remuda.store.api import Dirty, Gone, Put


def take_autohold(world: World, change: Put | Dirty | Gone) -> None:
    """Take in what became of an autohold: it is looked at when a job fails, and not before."""
    world.autoholds.take(change)


def take_hold_ledger(world: World, change: Put | Dirty | Gone) -> None:
    """Take in that somebody has kept one more machine."""
    if isinstance(change, Put) and change.stored is not None:
        world.holds_version = change.stored.version
