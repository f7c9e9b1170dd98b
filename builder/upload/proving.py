"""How an upload is proven: which provider tries it next."""

from builder.actions import Plan, in_order
from builder.build.lifecycle import unwanted
from builder.place.view import ProviderFacts
from builder.upload.actions import EndTrial, TryUpload, Validate
from builder.upload.placing import drop, newer_upload, wait_s_max
from builder.view import WorldView
from remuda.model.build import Blame, Build
from remuda.model.upload import (
    ENDED,
    WHOLE,
    Trial,
    TrialResult,
    Upload,
    UploadEvent,
    UploadState,
)


def trying(view: WorldView, upload: Upload, provider: str, plan: Plan) -> None:
    """Add what is to be done for an upload that is being tried."""
    trial = upload.trials.get(provider)
    if upload.owner == view.me:
        avoid = () if trial is None else trial.hosts
        plan.do(Validate(id=upload.id, provider=provider, avoid=avoid))
    elif view.dead(upload.owner) and view.mine(str(upload.id)):
        plan.do(EndTrial(id=upload.id))
    else:
        plan.wait(upload.id, f"{upload.owner} tries it in {provider}")


def whole(view: WorldView, build: Build, upload: Upload, plan: Plan) -> None:
    """Try it in the next provider that has no word on it."""
    policy = view.policies.get(build.id.image)
    no_more = unwanted(build)
    if no_more is not None:
        if upload.state is UploadState.STORED and view.mine(str(upload.id)):
            plan.do(drop(upload, UploadEvent.REJECTED, Blame.RECIPE, no_more))
        return
    if upload.state is UploadState.STORED and _overtaken(view, build, upload):
        if view.mine(str(upload.id)):
            because = "a newer build is whole there, and this one is not proven"
            plan.do(drop(upload, UploadEvent.REJECTED, Blame.CLOUD, because))
        return
    if policy is None:
        plan.wait(upload.id, "its recipe is not in the configuration")
        return
    wanted = [one for one in view.at(upload.id.place) if one.name in policy.providers]
    undecided = [one for one in wanted if _open(upload, one.name)]
    if not undecided:
        if upload.state is UploadState.STORED and wanted and view.mine(str(upload.id)):
            plan.do(drop(upload, UploadEvent.REJECTED, Blame.RECIPE, "it failed everywhere"))
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
    newer = newer_upload(view, build, upload.id.place)
    return newer is not None and newer.state in WHOLE


def _try_next(view: WorldView, upload: Upload, undecided: list[ProviderFacts], plan: Plan) -> None:
    reasons, times, ways = [], [], list[TryUpload]()
    for facts in undecided:
        trial = upload.trials.get(facts.name) or Trial()
        retry_s = view.counted(trial.retry_s, wait_s_max(view, upload))
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
