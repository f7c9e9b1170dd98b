"""Which uploads retire, which are deleted, and which records of them go."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from builder.actions import Plan
from builder.build.lifecycle import unwanted
from builder.build.retire import evidence_s
from builder.image import using
from builder.place.view import ListedImage
from builder.policy import ImagePolicy
from builder.upload.actions import CondemnUpload, EraseImage, ForgetUpload, RetireUpload
from builder.view import WorldView
from remuda.config.units import show_duration
from remuda.images.references import ReferenceKind, References, index, unknown, why_held
from remuda.model.build import Build
from remuda.model.image import UploadId
from remuda.model.upload import ENDED, Upload, UploadState

_GRACE_S: Final = 300.0
#: A cloud that refuses to delete something is asked again within this.
_REFUSED_S_MAX: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What keeps uploads, found once for all of them.

    Attributes:
        odd: What refers to we do not know what.
        kept: The newest proven ones.
    """

    references: References
    odd: tuple[str, ...]
    kept: set[UploadId]


def step(view: WorldView, plan: Plan) -> None:
    """Add which uploads retire and go; a builder on duty does it for all."""
    holders = view.library.holders()
    held = _Held(references=index(holders), odd=unknown(holders), kept=_kept(view))
    for upload in view.uploads():
        if not view.mine(str(upload.id)):
            if upload.state in ENDED:
                plan.wait(upload.id, "another builder sees to it")
        elif str(upload.id) not in view.busy:
            _upload(view, upload, held, plan)


def _kept(view: WorldView) -> set[UploadId]:
    """Return the newest proven uploads of each image in each place."""
    proven: defaultdict[tuple[str, str], list[UploadId]] = defaultdict(list)
    for upload in view.uploads():
        build = view.build(upload.id.build)
        if upload.state is UploadState.USABLE and build is not None and unwanted(build) is None:
            proven[upload.id.build.image, upload.id.place].append(upload.id)
    kept: set[UploadId] = set()
    for (image, _), some in proven.items():
        policy = view.policies.get(image)
        if policy is not None and policy.ttl_s is not None:
            kept.update(sorted(_of_this_recipe(view, policy, some))[-max(policy.keep, 1) :])
            continue
        # Of an image without a recipe, all: an error in the configuration removes nothing.
        kept.update(some if policy is None else sorted(some)[-max(policy.keep, 1) :])
    return kept


def _of_this_recipe(
    view: WorldView, policy: ImagePolicy, some: Iterable[UploadId]
) -> list[UploadId]:
    """Return those that new machines may boot of an image that is made on first use."""
    if using.over(view, policy):
        return []
    builds = ((one, view.build(one.build)) for one in some)
    return [one for one, build in builds if build and build.fingerprint == policy.fingerprint]


def _upload(view: WorldView, upload: Upload, held: _Held, plan: Plan) -> None:
    if not view.at(upload.id.place):
        plan.wait(upload.id, "no provider of the configuration lies there: it is kept")
        return
    match upload.state:
        case UploadState.USABLE:
            _usable(view, upload, held, plan)
        case UploadState.REJECTED | UploadState.FAILED:
            _ended(view, upload, held, plan)
        case UploadState.RETIRING:
            _retiring(view, upload, held, plan)
        case UploadState.DELETING:
            _deleting(view, upload, plan)
        case _:
            pass


def _usable(view: WorldView, upload: Upload, held: _Held, plan: Plan) -> None:
    """Retire what is beyond what is kept; launches do not hinder that, but the deletion."""
    build = view.build(upload.id.build)
    if upload.id in held.kept or build is None:
        return
    because = unwanted(build) or _why_gone(view, view.policies.get(upload.id.build.image))
    ends_s = _restorable_until_s(view, build)
    needed = any(one.full for one in view.at(upload.id.place))
    if view.now_s < ends_s and not needed:
        plan.wait(upload.id, f"{because}; it is kept, for it may be restored", ends_s)
    else:
        _retire(upload, because, held, plan)


def _why_gone(view: WorldView, policy: ImagePolicy | None) -> str:
    if policy is None or policy.ttl_s is None:
        return "newer builds are kept"
    if using.over(view, policy):
        return f"nobody has used it for {show_duration(policy.ttl_s)}"
    return "it is made anew when it is used: its recipe has changed, or a newer build is there"


def _restorable_until_s(view: WorldView, build: Build) -> float:
    """Return until when a proven build is kept because somebody may take its revocation back.

    What retires never comes back, so that a revocation by mistake would be one for ever.
    """
    if build.revoked is None or build.unwanted is not None:
        return 0.0
    kept_s = evidence_s(view, build.id.image)
    return view.counted(build.revoked.word.at_s + kept_s, kept_s)


def _retire(upload: Upload, because: str, held: _Held, plan: Plan) -> None:
    """Let nothing new refer to an upload, unless something but a launch does already."""
    some = held.references.get(upload.id, ())
    holding = [one for one in some if one.kind is not ReferenceKind.LAUNCH]
    if held.odd:
        plan.wait(upload.id, f"{because}, but nobody can tell what {held.odd[0]} refers to")
    elif holding:
        plan.wait(upload.id, f"{because}, but {holding[0].by} refers to it")
    else:
        plan.do(RetireUpload(id=upload.id, because=because))


def _ended(view: WorldView, upload: Upload, held: _Held, plan: Plan) -> None:
    build = view.build(upload.id.build)
    kept_s = evidence_s(view, upload.id.build.image)
    ends_s = view.counted(upload.since_s + kept_s, kept_s)
    if build is not None and unwanted(build) is not None:
        _retire(upload, unwanted(build) or "", held, plan)
    elif view.now_s < ends_s:
        plan.wait(upload.id, f"{upload.state}: its evidence is kept", ends_s)
    else:
        _retire(upload, "its evidence is old", held, plan)


def _retiring(view: WorldView, upload: Upload, held: _Held, plan: Plan) -> None:
    policy = view.policies.get(upload.id.build.image)
    grace_s = _GRACE_S if policy is None else policy.grace_s
    ends_s = view.counted(upload.since_s + grace_s, grace_s)
    why = why_held(upload.id, held.references, held.odd)
    if why is not None:
        plan.wait(upload.id, why)
    elif view.now_s < ends_s:
        plan.wait(upload.id, "it has only begun to retire", ends_s)
    else:
        plan.do(CondemnUpload(id=upload.id))


def _deleting(view: WorldView, upload: Upload, plan: Plan) -> None:
    listing = view.listing(upload.id.place)
    since_s = view.counted(upload.since_s, 0.0)
    retry_s = view.counted(upload.retry_s, _REFUSED_S_MAX)

    def shows(one: ListedImage) -> bool:
        return one.id == upload.cloud_image

    troubles = [one.trouble for one in view.at(upload.id.place)]
    if upload.cloud_image is None or listing.without(since_s, shows):
        # What was left of one that never became whole is swept by its tags.
        plan.do(ForgetUpload(id=upload.id))
    elif all(troubles):
        plan.wait(upload.id, str(troubles[0]))
    elif view.now_s < retry_s:
        plan.wait(upload.id, "the cloud does not let it go yet", retry_s)
    elif upload.cloud_image in listing.images or listing.begun_s <= since_s:
        plan.do(EraseImage(id=upload.id, cloud_image=upload.cloud_image))
    else:
        plan.wait(upload.id, "two listings have to show that it is gone")
