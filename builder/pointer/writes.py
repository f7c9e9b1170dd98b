"""What is written of pointers, as operations of transactions; see :mod:`builder.build.writes`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from builder.pointer.actions import DropPointer, MovePointer
from builder.view import WorldView
from remuda.images import writes as image_writes
from remuda.store import paths
from remuda.store.api import Check, Create, Delete, Op


def _move_pointer(view: WorldView, action: MovePointer) -> list[Op]:
    after = action.after
    seen = {one: view.library.seen(one) for one in image_writes.named(after) & view.known()}
    ops = image_writes.move(view.library.pointers.get(action.id), after, seen)
    # Who has paused the image in between is obeyed.
    stored = view.library.images.get(action.image)
    fence = [] if stored is None else [Check(path=stored.path, version=stored.version)]
    return [*ops, *fence]


def _drop_pointer(view: WorldView, action: DropPointer) -> list[Op]:
    """Whoever uses the image in between, or pauses it, makes it fail, as does a move."""
    library = view.library
    pointer, tally = library.pointers[action.id], library.tallies.get(action.id)
    counted = [] if tally is None else [Delete(path=tally.path, version=tally.version)]
    image, use = library.images.get(action.image), library.uses.get(action.image)
    fence: list[Op] = [
        Check(path=one.path, version=one.version) for one in (image, use) if one is not None
    ]
    if use is None:  # the first use fails it as well; nothing is left of this
        path = paths.last_use(action.image)
        fence += [Create(path=path), Delete(path=path)]
    return [*counted, Delete(path=pointer.path, version=pointer.version), *fence]


#: What each action of its noun writes.
WRITES: Final[Mapping[type, Callable[[WorldView, Any], list[Op]]]] = {
    MovePointer: _move_pointer,
    DropPointer: _drop_pointer,
}
