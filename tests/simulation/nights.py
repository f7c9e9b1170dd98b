"""What the librarian asks of the records: whence a build starts, what is the same, and served."""

from collections.abc import Mapping
from random import Random
from typing import Final

from builder.build.same import candidate
from builder.build.writes import keep_same
from remuda.images.library import Library
from remuda.images.moves import MoveRefusedError
from remuda.model.build import Build
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import UploadState
from remuda.store.api import Op, Stored
from tests.simulation.imagesetting import BASES

#: Each so many-th build starts from the base.
FULL_EVERY: Final = 4


def start(
    seen: Library, image: str, provider: str, now_s: float, rng: Random
) -> tuple[UploadId | None, int]:
    """Return what a build starts from, and how many builds ago one started from the base."""
    own = _current(seen, image, provider, now_s)
    if own is not None and rng.random() < 0.4:
        return own
    parent = BASES[image].get("image")
    if parent is None:
        return None, 0
    pointer = seen.pointers[parent, provider].value
    number = pointer.served(now_s)
    if number is None:
        raise MoveRefusedError(parent)
    return UploadId(pointer.build(number), pointer.place), 0


def served(seen: Library, image: str, places: Mapping[str, str], now_s: float) -> bool:
    """Whether launches of an image have something to boot everywhere."""
    for provider, place in places.items():
        pointer = seen.pointers.get((image, provider))
        number = None if pointer is None else pointer.value.served(now_s)
        if pointer is None or number is None or pointer.value.place != place:
            return False
        named = seen.seen(UploadId(BuildId(image, number), place))
        if named.upload.value.state is not UploadState.USABLE or named.build.value.revoked:
            return False
    return True


def _current(seen: Library, image: str, provider: str, now_s: float) -> tuple[UploadId, int] | None:
    """Return the start from what is current, if that may be."""
    pointer = seen.pointers.get((image, provider))
    if pointer is None or pointer.value.served(now_s) != pointer.value.current:
        return None
    build_id = pointer.value.build(pointer.value.current)
    current = seen.builds.get(build_id)
    if current is None or current.value.since_full + 1 >= FULL_EVERY:
        return None
    return UploadId(build_id, pointer.value.place), current.value.since_full + 1


def same(
    seen: Library, stored: Stored[Build], places: Mapping[str, str], now_s: float
) -> list[Op] | None:
    """Return what ends a build that is the same as what is current everywhere, if anything is."""
    image = stored.value.id.image
    pointers = {name: seen.pointers.get((image, name)) for name in places}
    group = Build(
        id=stored.value.id,
        state=stored.value.state,
        why=stored.value.why,
        requested_s=0.0,
        since_s=0.0,
        group=tuple(places),
    )
    known = {name: None if one is None else one.value for name, one in pointers.items()}
    number, _ = candidate(group, known, places)
    if number is None:
        return None
    current = seen.builds.get(BuildId(image, number))
    uploads = [seen.uploads.get(UploadId(BuildId(image, number), one)) for one in places.values()]
    usable = all(one is not None and one.value.state is UploadState.USABLE for one in uploads)
    if current is None or current.value.revoked is not None or not usable:
        return None
    some = (*pointers.values(), *uploads)
    versions = {one.path: one.version for one in some if one is not None}
    return keep_same(stored, current, versions, "i" * 64, now_s=now_s)
