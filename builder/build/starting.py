"""What a build starts from: a base of the cloud's, another image, or what is current of its own.

A start from the current build takes minutes less, and carries along whatever former builds have
left. So each *full-every*-th build starts from the base, and so does one after a failure.
"""

from dataclasses import dataclass
from typing import Final

from builder.build import due
from builder.place.view import ProviderFacts
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.model.build import ACHIEVED, Base, Build, Why
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import UploadState

#: All others are begun because something is to be other than it is.
_AS_BEFORE: Final = frozenset({Why.SCHEDULE, Why.AGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a build starts from in one place; the fields are those of its record."""

    parent: UploadId | None = None
    base: Base | None = None
    origin: BuildId | None = None
    since_full: int = 0


def start_of(
    view: WorldView, policy: ImagePolicy, build: Build, facts: ProviderFacts
) -> tuple[Start | None, str | None]:
    """Return what a build starts from in a provider, or why there is nothing."""
    if policy.on_host:
        return Start(), None
    own = _from_current(view, policy, build, facts)
    if own is not None:
        return own, None
    if policy.parent is not None:
        parent, why_not = _served(view, policy.parent, facts)
        return (None if parent is None else Start(parent=parent), why_not)
    base = view.bases.get((policy.image, facts.name))
    if base is None:
        return None, "its base is not there"
    return Start(base=base), None


def _served(
    view: WorldView, image: str, facts: ProviderFacts
) -> tuple[UploadId | None, str | None]:
    """Return the upload of another image that a build starts from there, or why there is none."""
    pointer = view.library.pointers.get((image, facts.name))
    number = None if pointer is None else pointer.value.served(view.now_s)
    if pointer is None or number is None or pointer.value.place != facts.place:
        return None, f"{image}, which it starts from, has no usable build"
    upload_id = UploadId(BuildId(image, number), facts.place)
    upload, build = view.upload(upload_id), view.build(upload_id.build)
    if upload is None or build is None or upload.state is not UploadState.USABLE:
        return None, f"{upload_id.build}, which it starts from, is not usable"
    if build.revoked is not None:
        return None, f"{upload_id.build}, which it starts from, is revoked"
    return upload_id, None


def _from_current(
    view: WorldView, policy: ImagePolicy, build: Build, facts: ProviderFacts
) -> Start | None:
    """Return the start from what is current there, or None: it starts as its recipe says."""
    if policy.full_every == 1 or build.why not in _AS_BEFORE:
        return None
    older = [
        one
        for one in view.builds(policy.image)
        if one.id < build.id and set(one.group) & set(build.group)
    ]
    last = next((one for one in reversed(older) if one.state in ACHIEVED), None)
    upload_id, _ = _served(view, policy.image, facts)
    current = None if upload_id is None else view.build(upload_id.build)
    if last is None or current is None or due.streak(view, older):
        return None
    # A base has another id elsewhere, and may have become another one a moment ago.
    if last.provider != facts.name or due.base_changed(view, policy, last):
        return None
    if _set_aside(view, policy, current, facts):
        return None
    since_full = max(last.since_full, current.since_full) + 1
    if since_full >= policy.full_every or current.fingerprint != build.fingerprint:
        return None
    # The current one may be of an older base, that was found to make no difference.
    return Start(parent=upload_id, base=last.base, origin=last.foundation, since_full=since_full)


def _set_aside(view: WorldView, policy: ImagePolicy, current: Build, facts: ProviderFacts) -> bool:
    """Whether launches boot it for a while only, or somebody wants no more of it."""
    pointer = view.library.pointers[policy.image, facts.name].value
    return pointer.current != current.id.number or current.unwanted is not None
