"""Giving back what a provider without a living launcher had claimed."""

from launcher.events import Rescued
from remuda.model import request as requests
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import RequestId
from remuda.model.request import RequestEvent, RequestState
from remuda.store import paths
from remuda.store.api import Delete, Op, RejectedError, Set, Store, StoreError


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


def _give_back(store: Store, provider: str, request_id: RequestId, now_s: float) -> bool:
    """Give one request back; return whether nothing is left to do for it."""
    stored = store.read(paths.request(request_id))
    ops: list[Op] = [Delete(path=paths.claim(provider, request_id))]
    if stored is not None:
        try:
            request = requests.decode(request_id, stored.value)
        except CorruptRecordError:
            request = None
        if request is not None and request.state is RequestState.PENDING:
            freed = request.after(RequestEvent.RELEASED, now_s=now_s, nodes=())
            ops += [
                Delete(path=paths.request_lock(request_id)),
                Set(
                    path=paths.request(request_id),
                    data=requests.encode(freed),
                    version=stored.version,
                ),
            ]
    try:
        store.commit(ops)
    except RejectedError:
        # Somebody else was quicker, or somebody holds the request's lock for a moment.
        return False
    return True
