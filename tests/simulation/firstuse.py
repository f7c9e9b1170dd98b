"""The image of a simulated installation that is made on first use, and how it comes and goes."""

from functools import cache
from typing import Any, Final

from remuda.config.fingerprint import image_fingerprint
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.recipes import recipes
from remuda.images.library import Library
from remuda.model.build import UNDER_WAY, BuildState
from remuda.model.image import UploadId
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Check, Delete, Op

#: What the image is called, and how long it stays unused, s.
FIRST: Final = "first"
TTL_S: Final = 60.0
RECIPE: Final[dict[str, Any]] = {
    "base": {"name": "debian-12"},
    "flavor": {"name": "small"},
    "steps": [{"command": "true", "timeout": 5}],
    "build": "on-demand",
    "ttl": TTL_S,
}
#: So many builds are of a recipe of before, which launchers do not boot.
OLD: Final = 0.15


@cache
def fingerprint() -> str:
    """Return that of the recipe, by the code of launchers and builders."""
    recipe = recipes({FIRST: RecipeFrom.model_validate(RECIPE)}, ImageDefaults(), ("alpha",))
    return image_fingerprint(recipe[FIRST], {})


def used_s(seen: Library) -> float:
    """Return when it was last used, as the record says."""
    stored = seen.uses.get(FIRST)
    return 0.0 if stored is None else stored.value.at_s or 0.0


def wanted(seen: Library, now_s: float) -> bool:
    """Whether a build is to begin: it is used, and none is there or under way."""
    mine = [one.value for one in seen.builds.values() if one.value.id.image == FIRST]
    there = [
        one
        for one in mine
        if one.state in UNDER_WAY
        or (one.fingerprint == fingerprint() and one.revoked is None and _stays(seen, one.id))
    ]
    return now_s < used_s(seen) + TTL_S and not there


def _stays(seen: Library, build_id: Any) -> bool:
    good = {UploadState.STORED, UploadState.VALIDATING, UploadState.USABLE}
    some: list[UploadId] = [one for one in seen.uploads if one.build == build_id]
    return any(seen.uploads[one].value.state in good for one in some)


def over(seen: Library, now_s: float) -> bool:
    """Whether all of it goes: unused for its time, and so is what was made."""
    mine = [one.value for one in seen.builds.values() if one.value.id.image == FIRST]
    if any(one.state in UNDER_WAY for one in mine):
        return False
    since_s = [used_s(seen), *(one.since_s for one in mine if one.state is BuildState.BUILT)]
    return now_s >= max(since_s) + TTL_S


def dropping(seen: Library, provider: str, now_s: float) -> list[Op]:
    """Return what removes its pointer, unless that is pinned; nothing if it stays."""
    pointer, use = seen.pointers.get((FIRST, provider)), seen.uses.get(FIRST)
    if pointer is None or pointer.value.pin_at(now_s) is not None or not over(seen, now_s):
        return []
    place = pointer.value.place
    withdrawn = (UploadId(pointer.value.build(one), place) for one in pointer.value.withdrawn)
    if any(_usable(seen, one) for one in withdrawn):
        return []
    tally = seen.tallies.get((FIRST, provider))
    return [
        *([] if tally is None else [Delete(path=tally.path, version=tally.version)]),
        Delete(path=paths.pointer(FIRST, provider), version=pointer.version),
        *([] if use is None else [Check(path=use.path, version=use.version)]),
    ]


def _usable(seen: Library, upload_id: UploadId) -> bool:
    stored = seen.uploads.get(upload_id)
    return stored is not None and stored.value.state is UploadState.USABLE
