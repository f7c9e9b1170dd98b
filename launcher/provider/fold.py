"""Folding single znodes into the world: whose installation this is, what an operator permits."""

from launcher.provider.cloud import Permitted
from launcher.world import World
from remuda.model.codec import CorruptRecordError
from remuda.model.installation import decode_installation
from remuda.model.permit import decode_permit
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Stored


def take_fact(world: World, change: Put | Dirty | Gone) -> bool:
    """Take in a change if it is one of these; return whether it was.

    Raises:
        CorruptRecordError: If a permission cannot be read: there is none then.
    """
    stored = change.stored if isinstance(change, Put) else None
    unread = isinstance(change, Dirty)
    if change.path == paths.INSTALLATION:
        if not unread:
            _take_installation(world, stored)
    elif change.path == paths.NODE_COUNTER:
        if stored is not None:
            world.drawn = stored.version
    elif change.path == paths.sweep_permit(world.policy.provider):
        if not unread:
            _take_permit(world, stored)
    else:
        return False
    return True


def _take_installation(world: World, stored: Stored[bytes] | None) -> None:
    """See whether the id is still the one that our servers carry.

    It is not after a mistake, or after a restore of another's data: then everybody's servers look
    like leaks of ours, and ours like nobody's.
    """
    found = "nothing"
    try:
        if stored is not None:
            found = repr(decode_installation(paths.INSTALLATION, stored.value))
    except CorruptRecordError:
        found = "nothing that could be an id"
    if stored is not None and found == repr(world.installation):
        world.halted, world.installation_s = None, stored.modified_s
    else:
        world.halted = (
            f"{paths.INSTALLATION} says {found}, but this launcher began as"
            f" {world.installation!r}: nothing is made or deleted until that is back there, or"
            " the launcher is started again"
        )
    world.agenda.everything = True


def _take_permit(world: World, stored: Stored[bytes] | None) -> None:
    world.cloud.permit = None
    if stored is not None:
        permit = decode_permit(stored.path, stored.value)
        world.cloud.permit = Permitted(
            permit=permit, version=stored.version, listing=world.cloud.latest_listing()
        )
    world.agenda.supply = True
