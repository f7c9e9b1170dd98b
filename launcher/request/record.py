"""The record of a request and its lock, as operations that several transactions share; pure."""

from launcher.claim.view import ClaimView
from launcher.request.view import RequestView
from remuda.model import request as requests
from remuda.store import paths
from remuda.store.api import Delete, Op, Set
from remuda.store.locks import prove_unlocked_ops


def unlock(view: RequestView, claim: ClaimView | None) -> list[Op]:
    """Give up our lock on the request, or prove that nobody holds it."""
    directory = paths.request_lock(view.id)
    if claim is None or not claim.contender:
        return list(prove_unlocked_ops(directory, exists=view.lock_exists))
    return [Delete(path=claim.contender), Delete(path=directory)]


def set_request(view: RequestView, request: requests.Request) -> Set:
    """Write *request* over the version that we read."""
    return Set(path=paths.request(view.id), data=requests.encode(request), version=view.version)
