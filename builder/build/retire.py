"""Which builds retire, and which records of them go."""

from typing import Final

from builder.actions import Plan
from builder.build.actions import ForgetBuild, RetireBuild
from builder.build.lifecycle import unwanted
from builder.view import WorldView
from remuda.model.build import Build, BuildState
from remuda.model.image import BuildId

#: Evidence of an image whose recipe is gone, and what is revoked of it, is kept as long.
_EVIDENCE_S: Final = 7 * 86400.0


def step(view: WorldView, plan: Plan) -> None:
    """Add which builds retire and go; a builder on duty does it for all."""
    newest = _newest(view)
    for build in view.builds():
        if str(build.id) in view.busy or not view.mine(str(build.id)):
            continue
        taken = unwanted(build) is not None and build.state is not BuildState.RETIRING
        if (taken or build.state is BuildState.SAME) and build.id in newest:
            plan.wait(build.id, "the last build stays on record: by it the next one is judged")
        else:
            _build(view, build, plan)


def _newest(view: WorldView) -> set[BuildId]:
    """Return the last build of each group, and of one that was the same the one that it was.

    If somebody took it away, why it was made would hold again without its record, and the next
    one would begin. One that came to nothing by itself may go: another is to be made.
    """
    newest = set[BuildId]()
    for image, policy in view.policies.items():
        builds = list(view.builds(image))
        for group in policy.groups:
            mine = [one for one in builds if set(one.group) & set(group)]
            newest.update(one.id for one in mine[-1:])
            same = (one.same_as for one in mine[-1:] if one.same_as is not None)
            newest.update(BuildId(image, number) for number in same)
    return newest


def evidence_s(view: WorldView, image: str) -> float:
    """Return how long records of what failed are kept, and images of what was revoked."""
    policy = view.policies.get(image)
    return _EVIDENCE_S if policy is None else policy.evidence_s


def _build(view: WorldView, build: Build, plan: Plan) -> None:
    if any(True for _ in view.uploads(build.id)):
        return
    odd = view.unreadable_below(build.id)
    if odd is not None:
        plan.wait(build.id, f"{odd} cannot be read")
        return
    kept_s = evidence_s(view, build.id.image)
    ended_s = view.counted(build.since_s + kept_s, kept_s)
    match build.state:
        case BuildState.BUILT:
            plan.do(RetireBuild(id=build.id))
        case BuildState.FAILED | BuildState.SUPERSEDED | BuildState.SAME:
            if build.unwanted is not None or view.now_s >= ended_s:
                plan.do(RetireBuild(id=build.id))
            else:
                plan.wait(build.id, f"{build.state}: its evidence is kept", ended_s)
        case BuildState.RETIRING:
            listing = view.listing(build.place)
            if build.place is None or listing.without(
                view.counted(build.since_s, 0.0), lambda one: one.build == build.id
            ):
                plan.do(ForgetBuild(id=build.id))
            else:
                plan.wait(build.id, "two listings have to show that nothing is left of it")
        case _:
            pass
