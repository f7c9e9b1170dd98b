"""The whole judgement: what to do now, why the rest waits, and when to look again."""

from typing import Final

from builder.decide import due, keeping, making, placing, pointing
from builder.decide.actions import BuilderPlan, RaiseAlarm
from builder.decide.policy import ImagePolicy
from builder.decide.world import BuilderWorld
from remuda.model.image import BuildId
from remuda.model.upload import ENDED

_SPOILED: Final = "its machines fail by no fault of the image"


def decide(world: BuilderWorld) -> BuilderPlan:
    """Return the plan for a moment. Pure: the same world, the same plan."""
    plan = BuilderPlan()
    due.begin(world, plan)
    for build in world.builds():
        making.step(world, build, plan)
        placing.spread(world, build, plan)
    for upload in world.uploads():
        placing.step(world, upload, plan)
    for policy in world.policies.values():
        for name in policy.providers:
            facts = world.providers.get(name)
            if facts is not None:
                pointing.step(world, policy, facts, plan)
            _freshness(world, policy, name, plan)
        _failures(world, policy, plan)
        _spoiled(world, policy, plan)
    keeping.step(world, plan)
    return plan


def _freshness(world: BuilderWorld, policy: ImagePolicy, provider: str, plan: BuilderPlan) -> None:
    """Say when what launches boot is old; a build that hangs does not say so itself.

    Nothing of the provider has to be known: one that is away is where images grow old.
    """
    if policy.fresh_s_max is None:
        return
    stored = world.library.pointers.get((policy.image, provider))
    if stored is None:
        made_for = (one for one in world.builds(policy.image) if provider in one.group)
        build = next(made_for, None)
        text = f"{provider} has no build to boot, for longer than the limit"
    else:
        number = stored.value.chosen(world.now_s)
        build = world.build(BuildId(policy.image, number))
        revoked = build is not None and build.revoked is not None
        if revoked or stored.value.served(world.now_s) is None:
            text = f"build {number} was taken away in {provider}: launches wait"
            plan.do(RaiseAlarm(image=policy.image, text=text))
            return
        text = f"build {number}, which {provider} boots, is older than its limit"
    if build is None:
        return
    begun_s = world.counted(build.requested_s, 0.0)
    if begun_s != build.requested_s:
        text = f"build {build.id.number} for {provider} has no age: its clock was ahead"
    old_s = min(begun_s, world.now_s) + policy.fresh_s_max
    if world.now_s < old_s:
        plan.wake(old_s)
    else:
        plan.do(RaiseAlarm(image=policy.image, text=text))


def _failures(world: BuilderWorld, policy: ImagePolicy, plan: BuilderPlan) -> None:
    for group in policy.groups:
        mine = [one for one in world.builds(policy.image) if one.group == group]
        failed = due.streak(world, mine)
        if failed >= policy.failures_alarm:
            text = f"{failed} builds in a row for {', '.join(group)} came to nothing"
            plan.do(RaiseAlarm(image=policy.image, text=text))


def _spoiled(world: BuilderWorld, policy: ImagePolicy, plan: BuilderPlan) -> None:
    """Say where nothing can be proven, by whoever's fault but the image's."""
    for build in world.builds(policy.image):
        if making.unwanted(build) is not None:
            continue
        for upload in world.uploads(build.id):
            for provider, trial in sorted(upload.trials.items()):
                ended = upload.state in ENDED or provider not in policy.providers
                if trial.spoiled >= policy.failures_alarm and not ended:
                    text = f"build {build.id.number} cannot be tried in {provider}: {_SPOILED}"
                    plan.do(RaiseAlarm(image=policy.image, text=text))
