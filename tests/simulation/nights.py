"""Nights that change nothing, and builds that start from what is current: for the librarian."""

from collections.abc import Mapping
from typing import Final

from builder.build.same import candidate
from builder.build.writes import keep_same
from remuda.images.library import Library
from remuda.model.build import Build
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import UploadState
from remuda.store.api import Op, Stored

#: Each so many-th build starts from the base.
FULL_EVERY: Final = 4


def current_of(
    seen: Library, image: str, provider: str, now_s: float
) -> tuple[UploadId, int] | None:
    """Return what a build may start from instead of its base, and how far that is from one."""
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
