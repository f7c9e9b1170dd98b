"""What the brain remembers of our provider's claim on a request; only its thread changes it."""

from dataclasses import dataclass

from remuda.store.api import MissingError, NotEmptyError, Stored, StoreError


@dataclass(slots=True, kw_only=True, eq=False)
class ClaimView:
    """Our provider's claim on a request: nobody else makes nodes for it meanwhile.

    Attributes:
        owner: The replica that took it.
        contender: Its znode in the request's lock directory; empty: the record cannot be read.
        contender_gone, directory_gone: What a rejected attempt to give it up has told of its lock:
            it is gone, or not ours to remove.
        made_s: When it was written first, by ZooKeeper's clock: another one is another claim.
        since_s: When this process first heard of it (monotonic).
    """

    pool: str
    owner: str
    contender: str
    version: int
    contender_gone: bool = False
    directory_gone: bool = False
    retry_s: float = 0.0
    made_s: float = 0.0
    since_s: float = 0.0


def unreadable_claim(stored: Stored[bytes], now_s: float) -> ClaimView:
    """Return a claim whose record says nothing; its request is to be given back."""
    return ClaimView(
        pool="",
        owner="",
        contender="",
        version=stored.version,
        contender_gone=True,
        directory_gone=True,
        made_s=stored.created_s,
        since_s=now_s,
    )


def learn_contender(claim: ClaimView, error: StoreError) -> bool:
    """Note that somebody has removed our lock, if that is what an attempt to give it up tells."""
    if isinstance(error, MissingError) and error.path == claim.contender:
        claim.contender_gone = True
        return True
    return False


def learn_lock(claim: ClaimView, error: StoreError) -> bool:
    """Note what a rejected attempt to drop a claim tells of its lock, and say whether it did."""
    directory = claim.contender.rpartition("/")[0]
    if learn_contender(claim, error):
        return True
    if isinstance(error, MissingError | NotEmptyError) and error.path == directory:
        claim.directory_gone = True
        return True
    return False
