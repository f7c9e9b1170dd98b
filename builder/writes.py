"""What each action writes, as operations of one transaction; see the folders of the nouns."""

from typing import Final

from builder.actions import JudgedAction
from builder.build import writes as build_writes
from builder.pointer import writes as pointer_writes
from builder.upload import writes as upload_writes
from builder.view import WorldView
from remuda.store.api import Op

WRITES: Final = {**build_writes.WRITES, **upload_writes.WRITES, **pointer_writes.WRITES}


def write(view: WorldView, action: JudgedAction) -> list[Op]:
    """Return the operations of an action; none for one that is all effect.

    Raises:
        KeyError: If what it is done to is not on record any more.
        NotBootableError: If it would refer to what nothing new may refer to.
    """
    make = WRITES.get(type(action))
    return [] if make is None else make(view, action)
