"""How an upload comes to a place: where a build is missing, and from where it is copied."""

from builder.actions import Plan
from builder.build.lifecycle import other_places, unwanted
from builder.image import using
from builder.place.view import ProviderFacts
from builder.policy import pause_s_max
from builder.upload.actions import BeginUpload, Copy, DropUpload, TakeUpload
from builder.view import ASKED_S_MAX, WorldView
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.image import UploadId
from remuda.model.upload import (
    ENDED,
    WHOLE,
    Method,
    Upload,
    UploadEvent,
)


def spread(view: WorldView, build: Build, plan: Plan) -> None:
    """Begin the uploads that the newest good build lacks: a provider came later."""
    if build.state is not BuildState.BUILT or unwanted(build) is not None:
        return
    newest = [one for one in view.builds(build.id.image) if one.group == build.group][-1]
    policy = view.policies.get(build.id.image)
    if build.id != newest.id or policy is None or using.over(view, policy):
        return  # what goes everywhere, unused, is not put where it has gone already
    uploads = list(view.uploads(build.id))
    have = {one.id.place for one in uploads}
    if any(one.state in WHOLE for one in uploads) and view.mine(f"spread {build.id}"):
        for place in other_places(view, build):
            if place not in have:
                plan.do(BeginUpload(id=UploadId(build.id, place)))


def pending(view: WorldView, build: Build, upload: Upload, plan: Plan) -> None:
    """Add that an upload is taken, or dropped, or say why it waits."""
    no_more = unwanted(build)
    others = [one for one in view.uploads(build.id) if one.id != upload.id]
    newer = newer_upload(view, build, upload.id.place)
    odd = view.unreadable_below(build.id)
    if not view.mine(str(upload.id)):
        plan.wait(upload.id, "another builder takes it")
    elif no_more is not None:
        plan.do(drop(upload, UploadEvent.GIVEN_UP, Blame.RECIPE, no_more))
    elif newer is not None:
        # It refers to every other upload of its build: those would be kept as long as it waits.
        because = f"build {newer.id.build.number} is to be there instead"
        plan.do(drop(upload, UploadEvent.GIVEN_UP, Blame.CLOUD, because))
    elif all(one.state in ENDED for one in others) and odd is not None:
        plan.wait(upload.id, f"{odd} cannot be read, and may be what it is made from")
    elif all(one.state in ENDED for one in others):
        plan.do(drop(upload, UploadEvent.GIVEN_UP, Blame.CLOUD, "no other place has it any more"))
    elif not view.at(upload.id.place):
        plan.wait(upload.id, "no provider of the configuration lies there")
    elif view.now_s < (retry_s := view.counted(upload.retry_s, wait_s_max(view, upload))):
        plan.wait(upload.id, upload.said or "it is tried again later", retry_s)
    else:
        _take(view, upload, others, plan)


def _take(view: WorldView, upload: Upload, others: list[Upload], plan: Plan) -> None:
    """Begin it the cheapest way that there is now."""
    here = _sound(view, upload.id.place)
    if here is None:
        plan.wait(upload.id, _troubles(view, upload.id.place))
        return
    reasons = ["no other place has it whole yet"]
    ways: list[TakeUpload] = []
    for source in others:
        there = _sound(view, source.id.place, room=False)
        # A shared image goes with its source: it is no source in its turn.
        if source.state not in WHOLE or source.method is Method.SHARE:
            continue
        if there is None:
            reasons.append(_troubles(view, source.id.place))
            continue
        share = bool(here.realm) and here.realm == there.realm
        method = Method.SHARE if share else Method.CARRY
        ways.append(TakeUpload(id=upload.id, method=method, source=source.id))
    if ways:
        plan.do(min(ways, key=lambda one: one.method is not Method.SHARE))
    else:
        plan.wait(upload.id, reasons[-1])


def _sound(view: WorldView, place: str, *, room: bool = True) -> ProviderFacts | None:
    """Return a provider by which images can be read in a place now, or made, or None."""
    some = view.at(place)
    return next((one for one in some if not (one.trouble or (room and one.full))), None)


def _troubles(view: WorldView, place: str) -> str:
    some = [f"{one.name}: {one.trouble or one.full}" for one in view.at(place)]
    return "; ".join(some) or "no provider of the configuration lies there"


def making(view: WorldView, upload: Upload, plan: Plan) -> None:
    """Add what is to be done for an upload that is being made."""
    policy = view.policies.get(upload.id.build.image)
    if upload.owner == view.me:
        plan.do(Copy(id=upload.id))
    elif not view.dead(upload.owner) or not view.mine(str(upload.id)):
        plan.wait(upload.id, f"{upload.owner} makes it")
    elif view.now_s < (asked_s := view.counted(upload.asked_by_s, ASKED_S_MAX)):
        plan.wait(upload.id, "its dead maker's calls may still arrive", asked_s)
    else:
        last = upload.attempt + 1 >= (1 if policy is None else policy.attempts_max)
        event = UploadEvent.GIVEN_UP if last else UploadEvent.BROKEN
        plan.do(drop(upload, event, Blame.BUILDER, "its builder died"))


def drop(upload: Upload, event: UploadEvent, blame: Blame, message: str) -> DropUpload:
    """Return that an upload is made again, or never."""
    mishap = Mishap(step=str(upload.state), blame=blame, message=message)
    return DropUpload(id=upload.id, event=event, mishap=mishap)


def newer_upload(view: WorldView, build: Build, place: str) -> Upload | None:
    """Return the upload of a newer build for the same providers that lies, or is to lie, there."""
    for one in view.builds(build.id.image):
        if one.id.number <= build.id.number or one.group != build.group:
            continue
        upload = view.upload(UploadId(one.id, place))
        if one.state is not BuildState.BUILT or unwanted(one) is not None or upload is None:
            continue
        if upload.state not in ENDED:
            return upload
    return None


def wait_s_max(view: WorldView, upload: Upload) -> float:
    """Return the longest that an upload is left alone before it is tried again."""
    return pause_s_max(view.policies.get(upload.id.build.image))
