"""Giving back requests that nobody serves any more, whatever their records say."""

from collections.abc import Collection

from launcher.provider.events import Rescued
from launcher.request import writes as request_writes
from remuda.model import request as requests
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import RequestId
from remuda.model.request import RequestEvent, RequestState
from remuda.store import paths
from remuda.store.api import RejectedError, Store, StoreError


def rescue(store: Store, provider: str, *, now_s: float) -> Rescued:
    """Reset the requests that *provider* had claimed, so that others may take them.

    Each is one transaction that also proves that nobody holds the request's lock (deleting the
    lock directory fails otherwise); several launchers may try, one succeeds.
    """
    again = False
    try:
        for name in store.children(paths.claims(provider)):
            again |= not _give_back(store, provider, RequestId(name), now_s)
    except StoreError:
        again = True
    return Rescued(provider=provider, again=again)


def free_unclaimed(store: Store, pending: Collection[RequestId], *, now_s: float) -> int:
    """Reset requests that are pending although no provider has a claim on them; return how many.

    Another program's launcher died after it took them, or somebody wrote them anew. Whoever works
    on one holds its lock, and then nothing is written; a claim made meanwhile comes with the lock.

    Args:
        store: Where the records are.
        pending: Requests that were pending, and not claimed by our provider, a while ago.
        now_s: Seconds since the epoch.

    Raises:
        StoreError: If ZooKeeper does not answer.
    """
    if not pending:
        return 0
    claimed = {
        name
        for provider in store.children(paths.PROVIDERS)
        for name in store.children(paths.claims(provider))
    }
    return sum(_reset(store, one, now_s) for one in sorted(pending) if one not in claimed)


def _reset(store: Store, request_id: RequestId, now_s: float) -> bool:
    stored = store.read(paths.request(request_id))
    if stored is None:
        return False
    try:
        request = requests.decode(request_id, stored.value)
    except CorruptRecordError:
        return False
    if request.state is not RequestState.PENDING:
        return False
    freed = request.after(RequestEvent.RELEASED, now_s=now_s, nodes=())
    for locked in (True, False):  # a locked one is refused either way
        try:
            store.commit(request_writes.free(freed, stored.version, locked=locked))
        except RejectedError:
            continue
        return True
    return False


def _give_back(store: Store, provider: str, request_id: RequestId, now_s: float) -> bool:
    """Give one request back; return whether nothing is left to do for it."""
    stored = store.read(paths.request(request_id))
    freed = None
    if stored is not None:
        try:
            request = requests.decode(request_id, stored.value)
        except CorruptRecordError:
            request = None
        if request is not None and request.state is RequestState.PENDING:
            freed = request.after(RequestEvent.RELEASED, now_s=now_s, nodes=())
    version = -1 if stored is None else stored.version
    ops = request_writes.rescue(provider, request_id, freed, version)
    try:
        store.commit(ops)
    except RejectedError:
        # Somebody else was quicker, or somebody holds the request's lock for a moment.
        return False
    return True
