"""Which builds are due, and why."""

from collections.abc import Iterator

from builder.actions import Plan
from builder.build import capturing
from builder.build.numbering import begin_next
from builder.image import using
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.config.units import show_duration
from remuda.images import failed
from remuda.model.build import UNDER_WAY, Build, BuildState, Why
from remuda.model.image import BuildId, ImageRecord
from remuda.model.upload import UploadState

#: States of a build that never was.
_NOTHING = frozenset({BuildState.FAILED, BuildState.SUPERSEDED})
#: States of an upload that nothing can boot from any more, though nothing was wrong with it.
_LEAVING = frozenset({UploadState.RETIRING, UploadState.DELETING})


def begin(view: WorldView, plan: Plan) -> None:
    """Add a build for each group that is due one; one new number of an image at a time."""
    for image, policy in sorted(view.policies.items()):
        stored = view.library.images.get(image)
        if stored is None:
            plan.wait(image, "it is not on record yet")
            continue
        paused = view.paused(image)
        if paused is not None:
            plan.wait(image, paused)
        if paused is not None and policy.capture_refusal is None:
            continue
        if image in view.reading:
            # Its number may be known already: the next one would be given for the same reason.
            plan.wait(image, "a build of it is being read")
            continue
        if policy.capture_refusal is not None:
            # Though it is paused: what waits is on record, says why, and waits no longer than that.
            capturing.begin(view, policy, stored.value, plan)
            continue
        _begin_due(view, policy, stored.value, plan)


def _begin_due(view: WorldView, policy: ImagePolicy, record: ImageRecord, plan: Plan) -> None:
    for group in policy.groups:
        why = _why(view, policy, record, group, plan)
        if why is None:
            continue
        begin_next(view, policy, record, plan, group=group, why=why)
        return


def _why(
    view: WorldView,
    policy: ImagePolicy,
    image: ImageRecord,
    group: tuple[str, ...],
    plan: Plan,
) -> Why | None:
    """Return why a build is to begin now, or None; then the plan says what is waited for."""
    name = f"{policy.image} for {', '.join(group)}"
    mine = [one for one in view.builds(policy.image) if set(one.group) & set(group)]
    if any(one.state in UNDER_WAY for one in mine):
        plan.wait(name, "a build of it is under way")
        return None
    last = mine[-1] if mine else None
    if image.wanted is not None and (last is None or last.id.number <= image.wanted_above):
        return Why.COMMAND
    if policy.ttl_s is not None and (idle := using.why_idle(view, policy)) is not None:
        plan.wait(name, idle)
        return None
    if last is None or last.fingerprint != policy.fingerprint or _gone(view, policy, last):
        return Why.RECIPE_CHANGED if policy.ttl_s is None else Why.FIRST_USE
    return _again(view, policy, mine, name, plan)


def _again(
    view: WorldView, policy: ImagePolicy, mine: list[Build], name: str, plan: Plan
) -> Why | None:
    """Return why another build of the same recipe is to begin now, or None."""
    last = mine[-1]
    why = _occasion(view, policy, mine, name, plan)
    in_vain = streak(view, mine)
    if why is None or not in_vain:
        return why
    wait_s = min(policy.backoff_s * 2 ** min(in_vain - 1, 20), policy.backoff_s_max)
    ends_s = view.counted(last.since_s + wait_s, wait_s)
    if view.now_s < ends_s:
        some = "the last build" if in_vain == 1 else f"{in_vain} builds in a row"
        after = f"the next begins {show_duration(wait_s)} after it"
        plan.wait(name, f"{some} came to nothing; {after}", ends_s)
        return None
    return why


def _occasion(
    view: WorldView, policy: ImagePolicy, mine: list[Build], name: str, plan: Plan
) -> Why | None:
    """Return on what occasion a build is due, if it is."""
    last = mine[-1]
    if last.state in _NOTHING and last.unwanted is None:
        return last.why  # what it was wanted for is not there yet
    if policy.follow_base and base_changed(view, policy, last):
        return Why.BASE_CHANGED
    # A record of the far future tells nothing: it is as old as can be, and its successor is not.
    begun_s = min(view.counted(last.requested_s, 0.0), view.now_s)
    due_s = policy.next_due_s(begun_s)
    old_s = None if policy.age_s_max is None else begun_s + policy.age_s_max
    if due_s is not None and due_s <= view.now_s:
        return Why.SCHEDULE
    if old_s is not None and old_s <= view.now_s:
        return Why.AGE
    if vain(view, last):
        return last.why
    times = [one for one in (due_s, old_s) if one is not None]
    plan.wait(name, "it is not due", min(times, default=None))
    return None


def _gone(view: WorldView, policy: ImagePolicy, last: Build) -> bool:
    """Whether a build that was good is on its way out, because nobody has used it for long."""
    if policy.ttl_s is None:
        return False
    kept: Build | None = last
    if last.same_as is not None:  # of this one nothing was kept: the other one is booted
        kept = view.build(BuildId(last.id.image, last.same_as))
    if kept is None:
        return True
    if kept.state is not BuildState.BUILT or kept.revoked is not None or kept.unwanted is not None:
        return kept.state is BuildState.RETIRING
    states = [one.state for one in view.uploads(kept.id)]
    # Without any they have not been read yet, or it retires itself, which is what counts then.
    return bool(states) and all(one in _LEAVING for one in states)


def base_changed(view: WorldView, policy: ImagePolicy, last: Build) -> bool:
    """Whether what a build has started from is another one now, where it was made."""
    if policy.parent is not None:
        pointer = view.library.pointers.get((policy.parent, last.provider or ""))
        served = None if pointer is None else pointer.value.served(view.now_s)
        return served is not None and last.foundation != BuildId(policy.parent, served)
    base = view.bases.get((policy.image, last.provider or ""))
    return base is not None and last.base is not None and base.id != last.base.id


def vain(view: WorldView, build: Build) -> bool:
    """Whether a finished build came to nothing, and not by somebody's command."""
    return failed.vain(build, view.uploads(build.id))


def streak(view: WorldView, builds: list[Build]) -> int:
    """Return how many of the last builds in a row came to nothing."""
    return sum(1 for _ in _streak(view, builds))


def _streak(view: WorldView, builds: list[Build]) -> Iterator[Build]:
    for build in reversed(builds):
        if build.state is BuildState.SUPERSEDED:
            continue
        if not vain(view, build):
            return
        yield build
