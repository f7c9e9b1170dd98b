"""What retires, what is deleted, and which records go."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from builder.decide.actions import (
    BuilderPlan,
    CondemnUpload,
    EraseImage,
    ForgetBuild,
    ForgetUpload,
    RetireBuild,
    RetireUpload,
    SweepImage,
)
from builder.decide.making import unwanted
from builder.decide.world import ASKED_S_MAX, BuilderWorld, ListedImage
from remuda.images.references import ReferenceKind, References, index, unknown, why_held
from remuda.model.build import Build, BuildState
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import ENDED, Method, Upload, UploadState

#: Evidence of an image whose recipe is gone, and what is revoked of it, is kept as long.
_EVIDENCE_S: Final = 7 * 86400.0
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


def step(world: BuilderWorld, plan: BuilderPlan) -> None:
    """Add what retires and goes; a builder on duty does it for all."""
    holders = world.library.holders()
    held = _Held(references=index(holders), odd=unknown(holders), kept=_kept(world))
    for upload in world.uploads():
        if not world.mine(str(upload.id)):
            if upload.state in ENDED:
                plan.wait(upload.id, "another builder sees to it")
        elif str(upload.id) not in world.busy:
            _upload(world, upload, held, plan)
    newest = _newest(world)
    for build in world.builds():
        if str(build.id) in world.busy or not world.mine(str(build.id)):
            continue
        taken = unwanted(build) is not None and build.state is not BuildState.RETIRING
        if taken and build.id in newest:
            plan.wait(build.id, "the last build stays on record: by it the next one is judged")
        else:
            _build(world, build, plan)
    _sweep(world, plan)


def _newest(world: BuilderWorld) -> set[BuildId]:
    """Return the last build of each group.

    If somebody took it away, why it was made would hold again without its record, and the next
    one would begin. One that came to nothing by itself may go: another is to be made.
    """
    newest = set()
    for image, policy in world.policies.items():
        builds = list(world.builds(image))
        for group in policy.groups:
            mine = [one.id for one in builds if set(one.group) & set(group)]
            newest.update(mine[-1:])
    return newest


def _kept(world: BuilderWorld) -> set[UploadId]:
    """Return the newest proven uploads of each image in each place."""
    proven: defaultdict[tuple[str, str], list[UploadId]] = defaultdict(list)
    for upload in world.uploads():
        build = world.build(upload.id.build)
        if upload.state is UploadState.USABLE and build is not None and unwanted(build) is None:
            proven[upload.id.build.image, upload.id.place].append(upload.id)
    kept: set[UploadId] = set()
    for (image, _), some in proven.items():
        policy = world.policies.get(image)
        # Of an image without a recipe, all: an error in the configuration removes nothing.
        kept.update(some if policy is None else sorted(some)[-max(policy.keep, 1) :])
    return kept


def _upload(world: BuilderWorld, upload: Upload, held: _Held, plan: BuilderPlan) -> None:
    if not world.at(upload.id.place):
        plan.wait(upload.id, "no provider of the configuration lies there: it is kept")
        return
    match upload.state:
        case UploadState.USABLE:
            _usable(world, upload, held, plan)
        case UploadState.REJECTED | UploadState.FAILED:
            _ended(world, upload, held, plan)
        case UploadState.RETIRING:
            _retiring(world, upload, held, plan)
        case UploadState.DELETING:
            _deleting(world, upload, plan)
        case _:
            pass


def _usable(world: BuilderWorld, upload: Upload, held: _Held, plan: BuilderPlan) -> None:
    """Retire what is beyond what is kept; launches do not hinder that, but the deletion."""
    build = world.build(upload.id.build)
    if upload.id in held.kept or build is None:
        return
    because = unwanted(build) or "newer builds are kept"
    ends_s = _restorable_until_s(world, build)
    needed = any(one.full for one in world.at(upload.id.place))
    if world.now_s < ends_s and not needed:
        plan.wait(upload.id, f"{because}; it is kept, for it may be restored", ends_s)
    else:
        _retire(upload, because, held, plan)


def _restorable_until_s(world: BuilderWorld, build: Build) -> float:
    """Return until when a proven build is kept because somebody may take its revocation back.

    What retires never comes back, so that a revocation by mistake would be one for ever.
    """
    if build.revoked is None or build.unwanted is not None:
        return 0.0
    kept_s = _evidence_s(world, build.id.image)
    return world.counted(build.revoked.word.at_s + kept_s, kept_s)


def _retire(upload: Upload, because: str, held: _Held, plan: BuilderPlan) -> None:
    """Let nothing new refer to an upload, unless something but a launch does already."""
    some = held.references.get(upload.id, ())
    holding = [one for one in some if one.kind is not ReferenceKind.LAUNCH]
    if held.odd:
        plan.wait(upload.id, f"{because}, but nobody can tell what {held.odd[0]} refers to")
    elif holding:
        plan.wait(upload.id, f"{because}, but {holding[0].by} refers to it")
    else:
        plan.do(RetireUpload(id=upload.id, because=because))


def _ended(world: BuilderWorld, upload: Upload, held: _Held, plan: BuilderPlan) -> None:
    build = world.build(upload.id.build)
    kept_s = _evidence_s(world, upload.id.build.image)
    ends_s = world.counted(upload.since_s + kept_s, kept_s)
    if build is not None and unwanted(build) is not None:
        _retire(upload, unwanted(build) or "", held, plan)
    elif world.now_s < ends_s:
        plan.wait(upload.id, f"{upload.state}: its evidence is kept", ends_s)
    else:
        _retire(upload, "its evidence is old", held, plan)


def _evidence_s(world: BuilderWorld, image: str) -> float:
    policy = world.policies.get(image)
    return _EVIDENCE_S if policy is None else policy.evidence_s


def _retiring(world: BuilderWorld, upload: Upload, held: _Held, plan: BuilderPlan) -> None:
    policy = world.policies.get(upload.id.build.image)
    grace_s = _GRACE_S if policy is None else policy.grace_s
    ends_s = world.counted(upload.since_s + grace_s, grace_s)
    why = why_held(upload.id, held.references, held.odd)
    if why is not None:
        plan.wait(upload.id, why)
    elif world.now_s < ends_s:
        plan.wait(upload.id, "it has only begun to retire", ends_s)
    else:
        plan.do(CondemnUpload(id=upload.id))


def _deleting(world: BuilderWorld, upload: Upload, plan: BuilderPlan) -> None:
    listing = world.listing(upload.id.place)
    since_s = world.counted(upload.since_s, 0.0)
    retry_s = world.counted(upload.retry_s, _REFUSED_S_MAX)

    def shows(one: ListedImage) -> bool:
        return one.id == upload.cloud_image

    troubles = [one.trouble for one in world.at(upload.id.place)]
    if upload.cloud_image is None or listing.without(since_s, shows):
        # What was left of one that never became whole is swept by its tags.
        plan.do(ForgetUpload(id=upload.id))
    elif all(troubles):
        plan.wait(upload.id, str(troubles[0]))
    elif world.now_s < retry_s:
        plan.wait(upload.id, "the cloud does not let it go yet", retry_s)
    elif upload.cloud_image in listing.images or listing.begun_s <= since_s:
        plan.do(EraseImage(id=upload.id, cloud_image=upload.cloud_image))
    else:
        plan.wait(upload.id, "two listings have to show that it is gone")


def _build(world: BuilderWorld, build: Build, plan: BuilderPlan) -> None:
    if any(True for _ in world.uploads(build.id)):
        return
    odd = world.unreadable_below(build.id)
    if odd is not None:
        plan.wait(build.id, f"{odd} cannot be read")
        return
    kept_s = _evidence_s(world, build.id.image)
    ended_s = world.counted(build.since_s + kept_s, kept_s)
    match build.state:
        case BuildState.BUILT:
            plan.do(RetireBuild(id=build.id))
        case BuildState.FAILED | BuildState.SUPERSEDED:
            if build.unwanted is not None or world.now_s >= ended_s:
                plan.do(RetireBuild(id=build.id))
            else:
                plan.wait(build.id, f"{build.state}: its evidence is kept", ended_s)
        case BuildState.RETIRING:
            listing = world.listing(build.place)
            if build.place is None or listing.without(
                world.counted(build.since_s, 0.0), lambda one: one.build == build.id
            ):
                plan.do(ForgetBuild(id=build.id))
            else:
                plan.wait(build.id, "two listings have to show that nothing is left of it")
        case _:
            pass


def _sweep(world: BuilderWorld, plan: BuilderPlan) -> None:
    """Delete what carries our tags, is in two listings, and is not what a record expects."""
    if world.library.unreadable:
        plan.wait("images without a record", f"{world.library.unreadable[0]} cannot be read")
        return
    for place, listing in sorted(world.listings.items()):
        for image_id, one in sorted(listing.images.items()):
            if image_id not in listing.images_before or not world.mine(f"{place} {image_id}"):
                continue
            if f"{place} {image_id}" in world.busy:
                continue
            if not expected(world, place, one, listed_s=listing.before_s):
                plan.do(SweepImage(place=place, cloud_image=image_id))


def expected(world: BuilderWorld, place: str, image: ListedImage, *, listed_s: float) -> bool:
    """Whether a record knows an image, or may not yet: who works on it is to decide.

    Args:
        world: Read anew, before anything is deleted.
        place: Where the image is.
        image: Which.
        listed_s: When the first of the two listings that show it was begun.
    """
    if world.library.unreadable:
        return True  # what cannot be read may expect anything
    return _stored_in(world, place, image, listed_s) or _being_made(world, place, image, listed_s)


def _stored_in(world: BuilderWorld, place: str, image: ListedImage, listed_s: float) -> bool:
    upload = world.upload(UploadId(image.build, place))
    if upload is not None:
        if upload.cloud_image == image.id or upload.state is UploadState.MAKING:
            return True
        if _asked_s(world, upload.asked_by_s, upload.since_s) >= listed_s:
            return True
    # Shared images are shown where they are members, too.
    return any(
        other.cloud_image == image.id and other.method is not Method.SHARE
        for other in world.uploads(image.build)
    )


def _being_made(world: BuilderWorld, place: str, image: ListedImage, listed_s: float) -> bool:
    build = world.build(image.build)
    if build is None or build.place != place:
        return False
    if build.state is BuildState.SNAPSHOTTING and image.name == build.cloud_name:
        return True
    return _asked_s(world, build.asked_by_s, build.since_s) >= listed_s


def _asked_s(world: BuilderWorld, asked_by_s: float, since_s: float) -> float:
    """Return until when a call for an image may have been on its way, as a record says."""
    return max(world.counted(asked_by_s, ASKED_S_MAX), world.counted(since_s, 0.0))
