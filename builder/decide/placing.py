"""The next step of each upload: to be made, and to be proven."""

from builder.decide.actions import (
    BeginUpload,
    BuilderPlan,
    Copy,
    DropUpload,
    EndTrial,
    TakeUpload,
    TryUpload,
    Validate,
)
from builder.decide.making import other_places
from builder.decide.world import BuilderWorld, ProviderFacts
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.image import UploadId
from remuda.model.upload import (
    ENDED,
    WHOLE,
    Method,
    TrialResult,
    Upload,
    UploadEvent,
    UploadState,
)


def spread(world: BuilderWorld, build: Build, plan: BuilderPlan) -> None:
    """Begin the uploads that the newest good build lacks: a provider came later."""
    if build.state is not BuildState.BUILT or unwanted(build) is not None:
        return
    newest = [one for one in world.builds(build.id.image) if one.group == build.group][-1]
    if build.id != newest.id or build.id.image not in world.policies:
        return
    have = {one.id.place for one in world.uploads(build.id)}
    if have and world.mine(f"spread {build.id}"):
        for place in other_places(world, build):
            if place not in have:
                plan.do(BeginUpload(id=UploadId(build.id, place)))


def step(world: BuilderWorld, upload: Upload, plan: BuilderPlan) -> None:
    """Add what is to be done for an upload that is under way, or say why it waits."""
    build = world.build(upload.id.build)
    if build is None:
        plan.wait(upload.id, "the record of its build cannot be read")
    elif str(upload.id) in world.busy:
        plan.wait(upload.id, f"being worked on: {upload.state}")
    elif upload.state is UploadState.PENDING:
        _pending(world, build, upload, plan)
    elif upload.state is UploadState.MAKING:
        _making(world, upload, plan)
    elif upload.trying is not None:
        _trying(world, upload, upload.trying, plan)
    elif upload.state in {UploadState.STORED, UploadState.USABLE}:
        _whole(world, build, upload, plan)


def unwanted(build: Build) -> str | None:
    """Return why a build is not wanted any more, or None."""
    if build.revoked is not None:
        return f"revoked by {build.revoked.word.who}: {build.revoked.word.why}"
    if build.unwanted is not None:
        return f"deleted by {build.unwanted.who}: {build.unwanted.why}"
    return None


def _drop(upload: Upload, event: UploadEvent, blame: Blame, message: str) -> DropUpload:
    mishap = Mishap(step=str(upload.state), blame=blame, message=message)
    return DropUpload(id=upload.id, event=event, mishap=mishap)


def _pending(world: BuilderWorld, build: Build, upload: Upload, plan: BuilderPlan) -> None:
    no_more = unwanted(build)
    others = [one for one in world.uploads(build.id) if one.id != upload.id]
    if not world.mine(str(upload.id)):
        plan.wait(upload.id, "another builder takes it")
    elif no_more is not None:
        plan.do(_drop(upload, UploadEvent.GIVEN_UP, Blame.RECIPE, no_more))
    elif all(one.state in ENDED for one in others):
        plan.do(_drop(upload, UploadEvent.GIVEN_UP, Blame.CLOUD, "no other place has it any more"))
    elif not world.at(upload.id.place):
        plan.wait(upload.id, "no provider of the configuration lies there")
    elif world.now_s < upload.retry_s:
        plan.wait(upload.id, _said(upload), upload.retry_s)
    else:
        _take(world, upload, others, plan)


def _said(upload: Upload) -> str:
    return "it is tried again later" if upload.mishap is None else upload.mishap.message


def _take(world: BuilderWorld, upload: Upload, others: list[Upload], plan: BuilderPlan) -> None:
    """Begin it the cheapest way that there is now."""
    here = _sound(world, upload.id.place)
    if here is None:
        plan.wait(upload.id, _troubles(world, upload.id.place))
        return
    reasons = ["no other place has it whole yet"]
    ways: list[TakeUpload] = []
    for source in others:
        there = _sound(world, source.id.place, room=False)
        # A shared image goes with its source: it is no source in its turn.
        if source.state not in WHOLE or source.method is Method.SHARE:
            continue
        if there is None:
            reasons.append(_troubles(world, source.id.place))
            continue
        share = bool(here.realm) and here.realm == there.realm
        method = Method.SHARE if share else Method.CARRY
        ways.append(TakeUpload(id=upload.id, method=method, source=source.id))
    if ways:
        plan.do(min(ways, key=lambda one: one.method is not Method.SHARE))
    else:
        plan.wait(upload.id, reasons[-1])


def _sound(world: BuilderWorld, place: str, *, room: bool = True) -> ProviderFacts | None:
    """Return a provider by which images can be read in a place now, or made, or None."""
    some = world.at(place)
    return next((one for one in some if not (one.trouble or (room and one.full))), None)


def _troubles(world: BuilderWorld, place: str) -> str:
    some = [f"{one.name}: {one.trouble or one.full}" for one in world.at(place)]
    return "; ".join(some) or "no provider of the configuration lies there"


def _making(world: BuilderWorld, upload: Upload, plan: BuilderPlan) -> None:
    policy = world.policies.get(upload.id.build.image)
    if upload.owner == world.me:
        plan.do(Copy(id=upload.id))
    elif not world.dead(upload.owner) or not world.mine(str(upload.id)):
        plan.wait(upload.id, f"{upload.owner} makes it")
    elif world.now_s < upload.asked_by_s:
        plan.wait(upload.id, "its dead maker's calls may still arrive", upload.asked_by_s)
    else:
        last = upload.attempt + 1 >= (1 if policy is None else policy.attempts_max)
        event = UploadEvent.GIVEN_UP if last else UploadEvent.BROKEN
        plan.do(_drop(upload, event, Blame.BUILDER, "its builder died"))


def _trying(world: BuilderWorld, upload: Upload, provider: str, plan: BuilderPlan) -> None:
    trial = upload.trials.get(provider)
    if upload.owner == world.me:
        avoid = () if trial is None else trial.hosts
        plan.do(Validate(id=upload.id, provider=provider, avoid=avoid))
    elif world.dead(upload.owner) and world.mine(str(upload.id)):
        plan.do(EndTrial(id=upload.id))
    else:
        plan.wait(upload.id, f"{upload.owner} tries it in {provider}")


def _whole(world: BuilderWorld, build: Build, upload: Upload, plan: BuilderPlan) -> None:
    """Try it in the next provider that has no word on it."""
    policy = world.policies.get(build.id.image)
    no_more = unwanted(build)
    if no_more is not None:
        if upload.state is UploadState.STORED and world.mine(str(upload.id)):
            plan.do(_drop(upload, UploadEvent.REJECTED, Blame.RECIPE, no_more))
        return
    if policy is None:
        plan.wait(upload.id, "its recipe is not in the configuration")
        return
    wanted = [one for one in world.at(upload.id.place) if one.name in policy.providers]
    undecided = [one for one in wanted if _open(upload, one.name)]
    if not undecided:
        if upload.state is UploadState.STORED and wanted and world.mine(str(upload.id)):
            plan.do(_drop(upload, UploadEvent.REJECTED, Blame.RECIPE, "it failed everywhere"))
        elif upload.state is UploadState.STORED:
            plan.wait(upload.id, "no provider of its recipe lies there")
        return
    if not world.mine(str(upload.id)):
        plan.wait(upload.id, "another builder tries it")
        return
    _try_next(world, upload, undecided, plan)


def _try_next(
    world: BuilderWorld, upload: Upload, undecided: list[ProviderFacts], plan: BuilderPlan
) -> None:
    reasons, times = [], []
    for facts in undecided:
        trial = upload.trials.get(facts.name)
        if trial is not None and world.now_s < trial.retry_s:
            reasons.append(f"{facts.name}: {trial.why or 'it is tried again later'}")
            times.append(trial.retry_s)
        elif facts.trouble is not None:
            reasons.append(f"{facts.name}: {facts.trouble}")
        else:
            plan.do(TryUpload(id=upload.id, provider=facts.name))
            return
    plan.wait(upload.id, "; ".join(reasons), min(times, default=None))


def _open(upload: Upload, provider: str) -> bool:
    trial = upload.trials.get(provider)
    return trial is None or trial.result is TrialResult.OPEN
