"""Whether what launches boot is too old, or was taken away."""

from builder.actions import Plan
from builder.alarm.actions import RaiseAlarm
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.model.image import BuildId


def step(view: WorldView, policy: ImagePolicy, provider: str, plan: Plan) -> None:
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
    begun_s = view.counted(build.fresh_s, 0.0)
    if begun_s != build.fresh_s:
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
