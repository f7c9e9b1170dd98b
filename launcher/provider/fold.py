"""Folding what concerns the provider as a whole: its installation, permissions, and its peers."""

from launcher.provider.cloud import Permitted
from launcher.world import World
from remuda.membership.rendezvous import lives
from remuda.model import component, status
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import ReplicaId
from remuda.model.installation import decode_installation
from remuda.model.permit import decode_permit
from remuda.store import paths
from remuda.store.api import Dirty, Gone, Put, Stored


def take_fact(world: World, change: Put | Dirty | Gone) -> bool:
    """Take in a change if it is one of these; return whether it was.

    Raises:
        CorruptRecordError: If a permission cannot be read, or what is counted: there is none then.
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
    elif change.path == paths.plain_tally(world.policy.provider):
        world.images.take_plain(change)
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


def take_peer(world: World, parent: str, name: str, change: Put | Dirty | Gone) -> None:
    """Take in what replicas, other providers, or their pools tell of themselves."""
    if isinstance(change, Dirty):
        return
    stored = change.stored if isinstance(change, Put) else None
    grandparent, _, provider = parent.rpartition("/")
    if grandparent == paths.REPLICAS:
        _replica(world, provider, ReplicaId(name), stored)
    elif parent == paths.STATUSES:
        if name != world.policy.provider:
            _status(world, name, stored)
    elif parent == paths.POOL_COMPONENTS:
        world.agenda.everything = True
        _pool(world, change.path, stored)


def _pool(world: World, path: str, stored: Stored[bytes] | None) -> None:
    peers = world.peers
    peers.pools.pop(path, None)
    peers.broken_pools.pop(path, None)
    if stored is None or not stored.owner:
        return  # what goes with nobody's session tells of nobody
    peers.broken_pools[path] = stored.owner
    peers.pools[path] = component.decode_pool(path, stored.value)
    del peers.broken_pools[path]


def _status(world: World, provider: str, stored: Stored[bytes] | None) -> None:
    # What cannot be read any more must not stand for what was told long ago.
    known, told = world.peers.statuses.pop(provider, None), None
    try:
        if stored is not None and stored.value:
            told = status.decode_status(provider, stored.value)
            world.peers.statuses[provider] = told
    finally:
        if told != known:
            world.agenda.supply = True


def _replica(world: World, provider: str, replica: ReplicaId, stored: Stored[bytes] | None) -> None:
    living = world.peers.replicas.setdefault(provider, {})
    if provider == world.policy.provider:
        world.doubt_status()
    world.agenda.everything = True
    if not lives(stored):
        living.pop(replica, None)
        if not living and provider != world.policy.provider:
            world.rescues.add(provider)
        return
    world.rescues.discard(provider)
    living[replica] = component.unreadable_replica(replica)
    living[replica] = component.decode_replica(replica, stored.value)
