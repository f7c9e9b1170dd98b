"""The whole judgement: what to do now, why the rest waits, and when to look again."""

from typing import Final

from builder.actions import Plan, RaiseAlarm
from builder.build import due
from builder.build import lifecycle as build_lifecycle
from builder.pointer import moving
from builder.policy import ImagePolicy
from builder.upload import lifecycle as upload_lifecycle
from builder.upload import retire
from builder.view import WorldView
from remuda.model.image import BuildId
from remuda.model.upload import ENDED, Upload, UploadState

_SPOILED: Final = "its machines fail by no fault of the image"
_NO_WAY: Final = "again and again, by no fault of the image"
_UNMADE: Final = frozenset({UploadState.PENDING, UploadState.MAKING})


def decide(view: WorldView) -> Plan:
    """Return the plan for a moment. Pure: the same view, the same plan."""
    plan = Plan()
    due.begin(view, plan)
    for build in view.builds():
        build_lifecycle.step(view, build, plan)
        upload_lifecycle.spread(view, build, plan)
    for upload in view.uploads():
        upload_lifecycle.step(view, upload, plan)
    for policy in view.policies.values():
        for name in policy.providers:
            facts = view.providers.get(name)
            if facts is not None:
                moving.step(view, policy, facts, plan)
            _freshness(view, policy, name, plan)
        _failures(view, policy, plan)
        _spoiled(view, policy, plan)
    retire.step(view, plan)
    return plan


def _freshness(view: WorldView, policy: ImagePolicy, provider: str, plan: Plan) -> None:
    """Say when what launches boot is old; a build that hangs does not say so itself.

    Nothing of the provider has to be known: one that is away is where images grow old.
    """
    stored = view.library.pointers.get((policy.image, provider))
    if _taken_away(view, policy, provider, plan) or policy.fresh_s_max is None:
        return
    if stored is None:
        made_for = (one for one in view.builds(policy.image) if provider in one.group)
        build = next(made_for, None)
        text = f"{provider} has no build to boot, for longer than the limit"
    else:
        number = stored.value.chosen(view.now_s)
        build = view.build(BuildId(policy.image, number))
        text = f"build {number}, which {provider} boots, is older than its limit"
    if build is None:
        return
    begun_s = view.counted(build.requested_s, 0.0)
    if begun_s != build.requested_s:
        text = f"build {build.id.number} for {provider} has no age: its clock was ahead"
    old_s = min(begun_s, view.now_s) + policy.fresh_s_max
    if view.now_s < old_s:
        plan.wake(old_s)
    else:
        plan.do(RaiseAlarm(image=policy.image, text=text))


def _taken_away(view: WorldView, policy: ImagePolicy, provider: str, plan: Plan) -> bool:
    """Whether launches wait because what they would boot was taken away; say so."""
    stored = view.library.pointers.get((policy.image, provider))
    if stored is None:
        return False
    number = stored.value.chosen(view.now_s)
    build = view.build(BuildId(policy.image, number))
    revoked = build is not None and build.revoked is not None
    if not revoked and stored.value.served(view.now_s) is not None:
        return False
    text = f"build {number} was taken away in {provider}: launches wait"
    plan.do(RaiseAlarm(image=policy.image, text=text))
    return True


def _failures(view: WorldView, policy: ImagePolicy, plan: Plan) -> None:
    for group in policy.groups:
        mine = [one for one in view.builds(policy.image) if one.group == group]
        failed = due.streak(view, mine)
        if failed >= policy.failures_alarm:
            text = f"{failed} builds in a row for {', '.join(group)} came to nothing"
            plan.do(RaiseAlarm(image=policy.image, text=text))


def _spoiled(view: WorldView, policy: ImagePolicy, plan: Plan) -> None:
    """Say where nothing can be proven, or brought, by whoever's fault but the image's."""
    for build in view.builds(policy.image):
        if build_lifecycle.unwanted(build) is not None:
            continue
        for upload in view.uploads(build.id):
            for provider, trial in sorted(upload.trials.items()):
                ended = upload.state in ENDED or provider not in policy.providers
                if trial.spoiled >= policy.failures_alarm and not ended:
                    text = f"build {build.id.number} cannot be tried in {provider}: {_SPOILED}"
                    plan.do(RaiseAlarm(image=policy.image, text=text))
            _uncopied(view, policy, upload, plan)


def _uncopied(view: WorldView, policy: ImagePolicy, upload: Upload, plan: Plan) -> None:
    """Say which providers a build does not come to."""
    number = upload.id.build.number
    lacking = [
        one.name
        for one in view.at(upload.id.place)
        if one.name in policy.providers and _lacks(view, policy.image, one.name, number)
    ]
    if not lacking:
        return
    what = f"build {number} cannot be copied for {', '.join(lacking)}"
    if upload.state in _UNMADE and upload.spoiled >= policy.failures_alarm:
        plan.do(RaiseAlarm(image=policy.image, text=f"{what}: {_NO_WAY}"))
    elif upload.state is UploadState.FAILED and upload.attempt >= policy.attempts_max:
        plan.do(RaiseAlarm(image=policy.image, text=f"{what}: it was given up"))


def _lacks(view: WorldView, image: str, provider: str, number: int) -> bool:
    """Whether a provider has nothing as new as a build."""
    pointer = view.library.pointers.get((image, provider))
    return pointer is None or pointer.value.current < number
