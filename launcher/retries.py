"""How long what failed is left alone before it is tried again."""

from typing import Final

from remuda.store.api import NotPermittedError, RejectedError, StoreError

#: A hand that came to nothing, through nobody's fault, begins again after this.
PROVE_AGAIN_S: Final = 1.0
#: When what a bug of ours interrupted is tried again.
CRASH_RETRY_S: Final = 10.0
#: When we do not know what happened, look again after this.
AWAY_RETRY_S: Final = 1.0
#: Whoever made the request has closed it to us, perhaps for ever: doubling.
CLOSED_RETRY_S: Final = 60.0
CLOSED_RETRY_MAX_S: Final = 300.0
#: Another replica was faster with what both count: the new number is on its way to us.
LEDGER_RETRY_S: Final = 0.05
#: Somebody holds a lock: try again after this, doubling.
LOCKED_RETRY_S: Final = 0.1
LOCKED_RETRY_MAX_S: Final = 5.0


def pause_s(tries: int, error: StoreError) -> float:
    """Return for how long to leave a record alone after a write that did not happen.

    Args:
        tries: How many did not before it.
        error: Why this one did not.
    """
    if isinstance(error, NotPermittedError):
        return min(CLOSED_RETRY_MAX_S, CLOSED_RETRY_S * 2.0 ** min(tries, 10))
    if isinstance(error, RejectedError):
        return min(LOCKED_RETRY_MAX_S, LOCKED_RETRY_S * 2.0 ** min(tries + 1, 10))
    return AWAY_RETRY_S
