"""The next step of each upload: to be made, and to be proven."""

from builder.actions import Plan, in_order
from builder.build.lifecycle import other_places, unwanted
from builder.place.view import ProviderFacts
from builder.policy import pause_s_max
from builder.upload.actions import (
    BeginUpload,
    Copy,
    DropUpload,
    EndTrial,
    TakeUpload,
    TryUpload,
    Validate,
)
from builder.view import ASKED_S_MAX, WorldView
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.image import UploadId
from remuda.model.upload import (
    ENDED,
    WHOLE,
    Method,
    Trial,
    TrialResult,
    Upload,
    UploadEvent,
    UploadState,
)


def spread(view: WorldView, build: Build, plan: Plan) -> None:
    """Begin the uploads that the newest good build lacks: a provider came later."""
    if build.state is not BuildState.BUILT or unwanted(build) is not None:
        return
    newest = [one for one in view.builds(build.id.image) if one.group == build.group][-1]
    if build.id != newest.id or build.id.image not in view.policies:
        return
    uploads = list(view.uploads(build.id))
    have = {one.id.place for one in uploads}
    if any(one.state in WHOLE for one in uploads) and view.mine(f"spread {build.id}"):
        for place in other_places(view, build):
            if place not in have:
                plan.do(BeginUpload(id=UploadId(build.id, place)))


def step(view: WorldView, upload: Upload, plan: Plan) -> None:
    """Add what is to be done for an upload that is under way, or say why it waits."""
    build = view.build(upload.id.build)
    if build is None:
        plan.wait(upload.id, "the record of its build cannot be read")
    elif str(upload.id) in view.busy:
        plan.wait(upload.id, f"being worked on: {upload.state}")
    elif upload.state is UploadState.PENDING:
        _pending(view, build, upload, plan)
    elif upload.state is UploadState.MAKING:
        _making(view, upload, plan)
    elif upload.trying is not None:
        _trying(view, upload, upload.trying, plan)
    elif upload.state in {UploadState.STORED, UploadState.USABLE}:
        _whole(view, build, upload, plan)


def _drop(upload: Upload, event: UploadEvent, blame: Blame, message: str) -> DropUpload:
    mishap = Mishap(step=str(upload.state), blame=blame, message=message)
    return DropUpload(id=upload.id, event=event, mishap=mishap)


def _pending(view: WorldView, build: Build, upload: Upload, plan: Plan) -> None:
    no_more = unwanted(build)
    others = [one for one in view.uploads(build.id) if one.id != upload.id]
    newer = _newer(view, build, upload.id.place)
    odd = view.unreadable_below(build.id)
    if not view.mine(str(upload.id)):
        plan.wait(upload.id, "another builder takes it")
    elif no_more is not None:
        plan.do(_drop(upload, UploadEvent.GIVEN_UP, Blame.RECIPE, no_more))
    elif newer is not None:
        # It refers to every other upload of its build: those would be kept as long as it waits.
        because = f"build {newer.id.build.number} is to be there instead"
        plan.do(_drop(upload, UploadEvent.GIVEN_UP, Blame.CLOUD, because))
    elif all(one.state in ENDED for one in others) and odd is not None:
        plan.wait(upload.id, f"{odd} cannot be read, and may be what it is made from")
    elif all(one.state in ENDED for one in others):
        plan.do(_drop(upload, UploadEvent.GIVEN_UP, Blame.CLOUD, "no other place has it any more"))
    elif not view.at(upload.id.place):
        plan.wait(upload.id, "no provider of the configuration lies there")
    elif view.now_s < (retry_s := view.counted(upload.retry_s, _pause_s_max(view, upload))):
        plan.wait(upload.id, upload.said or "it is tried again later", retry_s)
    else:
        _take(view, upload, others, plan)


def _newer(view: WorldView, build: Build, place: str) -> Upload | None:
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


def _pause_s_max(view: WorldView, upload: Upload) -> float:
    return pause_s_max(view.policies.get(upload.id.build.image))


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


def _making(view: WorldView, upload: Upload, plan: Plan) -> None:
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
        plan.do(_drop(upload, event, Blame.BUILDER, "its builder died"))


def _trying(view: WorldView, upload: Upload, provider: str, plan: Plan) -> None:
    trial = upload.trials.get(provider)
    if upload.owner == view.me:
        avoid = () if trial is None else trial.hosts
        plan.do(Validate(id=upload.id, provider=provider, avoid=avoid))
    elif view.dead(upload.owner) and view.mine(str(upload.id)):
        plan.do(EndTrial(id=upload.id))
    else:
        plan.wait(upload.id, f"{upload.owner} tries it in {provider}")


def _whole(view: WorldView, build: Build, upload: Upload, plan: Plan) -> None:
    """Try it in the next provider that has no word on it."""
    policy = view.policies.get(build.id.image)
    no_more = unwanted(build)
    if no_more is not None:
        if upload.state is UploadState.STORED and view.mine(str(upload.id)):
            plan.do(_drop(upload, UploadEvent.REJECTED, Blame.RECIPE, no_more))
        return
    if upload.state is UploadState.STORED and _overtaken(view, build, upload):
        if view.mine(str(upload.id)):
            because = "a newer build is whole there, and this one is not proven"
            plan.do(_drop(upload, UploadEvent.REJECTED, Blame.CLOUD, because))
        return
    if policy is None:
        plan.wait(upload.id, "its recipe is not in the configuration")
        return
    wanted = [one for one in view.at(upload.id.place) if one.name in policy.providers]
    undecided = [one for one in wanted if _open(upload, one.name)]
    if not undecided:
        if upload.state is UploadState.STORED and wanted and view.mine(str(upload.id)):
            plan.do(_drop(upload, UploadEvent.REJECTED, Blame.RECIPE, "it failed everywhere"))
        elif upload.state is UploadState.STORED:
            plan.wait(upload.id, "no provider of its recipe lies there")
        return
    if not view.mine(str(upload.id)):
        plan.wait(upload.id, "another builder tries it")
        return
    _try_next(view, upload, undecided, plan)


def _overtaken(view: WorldView, build: Build, upload: Upload) -> bool:
    """Whether a newer build is whole in the same place.

    One that is only to be copied there does not count: else nothing would ever be proven where
    copies take longer than builds. What others share stays as long as they do: it is proven, too.
    """
    if any(
        one.source == upload.id.place and one.state not in ENDED for one in view.uploads(build.id)
    ):
        return False
    newer = _newer(view, build, upload.id.place)
    return newer is not None and newer.state in WHOLE


def _try_next(view: WorldView, upload: Upload, undecided: list[ProviderFacts], plan: Plan) -> None:
    reasons, times, ways = [], [], list[TryUpload]()
    for facts in undecided:
        trial = upload.trials.get(facts.name) or Trial()
        retry_s = view.counted(trial.retry_s, _pause_s_max(view, upload))
        if view.now_s < retry_s:
            reasons.append(f"{facts.name}: {trial.said or 'it is tried again later'}")
            times.append(retry_s)
        elif facts.trouble is not None:
            reasons.append(f"{facts.name}: {facts.trouble}")
        else:
            ways.append(TryUpload(id=upload.id, provider=facts.name))
    first = in_order(ways)
    if first is not None:
        plan.do(first)
    else:
        plan.wait(upload.id, "; ".join(reasons), min(times, default=None))


def _open(upload: Upload, provider: str) -> bool:
    trial = upload.trials.get(provider)
    return trial is None or trial.result is TrialResult.OPEN
