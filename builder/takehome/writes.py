"""What is written of take-home images, as operations of transactions; pure."""

from remuda.model.takehome import TakeHome, encode_take_home
from remuda.store import paths
from remuda.store.api import Delete, Op, Set, Stored


def write_take_home(stored: Stored[TakeHome], after: TakeHome) -> Set:
    """Return the write of a record, at the version that was read."""
    return Set(path=stored.path, data=encode_take_home(after), version=stored.version)


def answer(stored: Stored[TakeHome], after: TakeHome, wish: Stored[bytes]) -> list[Op]:
    """Return what writes the answer to a wish for more time, which goes with it."""
    return [write_take_home(stored, after), Delete(path=wish.path, version=wish.version)]


def forget(stored: Stored[TakeHome], *, wished: bool) -> list[Op]:
    """Return what removes a record whose image is gone, with the wish that it go."""
    ops: list[Op] = [Delete(path=stored.path, version=stored.version)]
    if wished:
        ops.append(Delete(path=paths.take_home_end(stored.value.node)))
    return ops
