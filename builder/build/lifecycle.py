"""The next step of each build."""

from typing import Final

from builder.actions import Plan, in_order
from builder.build import capturing
from builder.build.actions import KeepSnapshot, LoseBuild, Make, Supersede, TakeBuild
from builder.build.outcome import SIGNING
from builder.build.starting import start_of
from builder.policy import ImagePolicy, pause_s_max
from builder.view import ASKED_S_MAX, WorldView
from remuda.membership.rendezvous import assignee
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.ids import ReplicaId

#: The same for an image whose recipe is gone.
_SNAPSHOT_S_MAX: Final = 7200.0


def unwanted(build: Build) -> str | None:
    """Return why a build is not wanted any more, or None."""
    if build.revoked is not None:
        return f"revoked by {build.revoked.word.who}: {build.revoked.word.why}"
    if build.unwanted is not None:
        return f"deleted by {build.unwanted.who}: {build.unwanted.why}"
    return None


def step(view: WorldView, build: Build, plan: Plan) -> None:
    """Add what is to be done for a build that is under way, or say why it waits."""
    if str(build.id) in view.busy:
        plan.wait(build.id, f"being worked on: {build.state}")
        return
    match build.state:
        case BuildState.REQUESTED:
            _requested(view, build, plan)
        case BuildState.BUILDING:
            _building(view, build, plan)
        case BuildState.SNAPSHOTTING:
            _snapshotting(view, build, plan)
        case _:
            pass


def _requested(view: WorldView, build: Build, plan: Plan) -> None:
    policy = view.policies.get(build.id.image)
    paused = view.paused(build.id.image)
    no_more = unwanted(build)
    if policy is not None and no_more is None:
        no_more = _outdated(view, policy, build)
    if not _heir(view, build):
        plan.wait(build.id, "another builder takes it")
    elif no_more is not None:
        # A revocation that came with a parent stays with the build when it is given back.
        plan.do(Supersede(id=build.id, because=no_more))
    elif policy is None:
        plan.wait(build.id, "its recipe is not in the configuration")
    elif paused is not None:
        plan.wait(build.id, paused)
    elif view.now_s < (retry_s := view.counted(build.retry_s, pause_s_max(policy))):
        plan.wait(build.id, _said(build) or "it is tried again later", retry_s)
    elif build.captured is not None:
        capturing.take(view, build, build.captured, plan)
    else:
        _take(view, policy, build, plan)


def _outdated(view: WorldView, policy: ImagePolicy, build: Build) -> str | None:
    """Return why a build is not what the configuration asks for any more, or None."""
    if build.captured is not None:
        return capturing.no_more(view, policy, build, build.captured)
    if build.fingerprint != policy.fingerprint:
        return "the recipe has changed"
    if build.group not in policy.groups:
        return "the providers of the recipe have changed"
    return None


def _said(build: Build) -> str | None:
    return None if build.mishap is None else build.mishap.said


def _take(view: WorldView, policy: ImagePolicy, build: Build, plan: Plan) -> None:
    """Begin it in the first provider of its group that can make it now, or in one after it."""
    reasons, ways = [], list[TakeBuild]()
    for name in build.group:
        facts = view.providers.get(name)
        if name in policy.copies:
            continue
        if facts is None:
            reasons.append(f"{name}: nobody knows yet where its images lie")
            continue
        start, why_not = start_of(view, policy, build, facts)
        why_not = facts.trouble or facts.full or why_not
        if start is not None and why_not is None:
            ways.append(
                TakeBuild(
                    id=build.id,
                    provider=name,
                    place=facts.place,
                    parent=start.parent,
                    base=start.base,
                    origin=start.origin,
                    since_full=start.since_full,
                    on_host=policy.on_host,
                )
            )
        else:
            reasons.append(f"{name}: {why_not}")
    first = in_order(ways)
    if first is not None:
        plan.do(first)
    else:
        plan.wait(build.id, "; ".join(reasons) or "no provider is to have it")


def _building(view: WorldView, build: Build, plan: Plan) -> None:
    no_more = unwanted(build)
    ours = build.owner == view.me or (view.dead(build.owner) and view.mine(str(build.id)))
    if ours and no_more is not None:
        plan.do(_ended(build, no_more))
    elif build.owner == view.me and not build.once:
        plan.do(Make(id=build.id))
    elif build.owner == view.me:
        plan.do(_lost(view, build, "its builder could not go on once its machine was quieted"))
    elif ours:
        plan.do(_lost(view, build, "its builder died"))
    else:
        plan.wait(build.id, f"{build.owner} makes it")


def _snapshotting(view: WorldView, build: Build, plan: Plan) -> None:
    """Find out what became of a snapshot, or of a file on its way, whose builder or hand died."""
    ours = build.owner == view.me or (view.dead(build.owner) and _heir(view, build))
    listing = view.listing(build.place)
    found = listing.named(build.cloud_name)
    steady = listing.steady(build.cloud_name)
    # Our own hand may have only begun; it names its deadline, as every owner does.
    asked_s = view.counted(max(build.since_s, build.asked_by_s), ASKED_S_MAX)
    no_more = unwanted(build)
    limit_s = _snapshot_s_max(view, build)
    ends_s = view.counted(build.since_s + limit_s, limit_s)
    if not ours:
        plan.wait(build.id, f"{build.owner or 'another builder'} makes it")
    elif view.now_s < asked_s:
        plan.wait(build.id, "the cloud may still be asked for its snapshot", asked_s)
    elif no_more is not None:
        plan.do(_ended(build, no_more))  # what the cloud has of it is swept by its tags
    elif steady is not None and (_signers(view, build) or (build.once and view.now_s < ends_s)):
        also = other_places(view, build)
        plan.do(KeepSnapshot(id=build.id, snapshot=steady.id, also=also))
    elif steady is not None:
        # The next attempt may be of one that can sign; what was made of a job's machine has none.
        said = "nobody signs it" if build.mishap is None else build.mishap.message
        plan.do(_lost(view, build, said, SIGNING))
    elif found is not None and (found.active or build.file is None) and view.now_s < ends_s:
        # Of a file that was being sent nothing more comes: who sent it is dead.
        plan.wait(build.id, "its snapshot is not finished", ends_s)
    elif (
        found is None
        and not listing.without(asked_s, lambda one: one.name == build.cloud_name)
        and (view.now_s < ends_s or _listable(view, build.place))
    ):
        because = "two listings have to tell whether there is a snapshot of it"
        plan.wait(build.id, because, ends_s if view.now_s < ends_s else None)
    else:
        plan.do(_lost(view, build, "its builder died, and left no whole snapshot"))


def _signers(view: WorldView, build: Build) -> frozenset[ReplicaId]:
    """Return the builders that live, but for those that have found that they cannot sign it."""
    return view.builders - frozenset(build.cannot_sign)


def _heir(view: WorldView, build: Build) -> bool:
    """Whether a build that nobody has is ours to take.

    One that can sign it goes before others, and of those one whose host had room. Where none had,
    they are asked in turn, for room comes back: first who has found that longest ago.
    """
    able = _signers(view, build) or view.builders
    roomy = able - frozenset(build.no_room)
    if roomy == view.builders:
        return view.mine(str(build.id))
    if roomy:
        return assignee(str(build.id), roomy) == view.me
    return next(one for one in build.no_room if one in able) == view.me


def _listable(view: WorldView, place: str | None) -> bool:
    """Whether a provider without trouble lies there, so that its images are listed."""
    return any(one.trouble is None for one in view.at(place or ""))


def _ended(build: Build, no_more: str) -> LoseBuild:
    """Return the end of a build that nobody wants any more."""
    mishap = Mishap(step=str(build.state), blame=Blame.RECIPE, message=no_more)
    return LoseBuild(id=build.id, mishap=mishap, last=True)


def _snapshot_s_max(view: WorldView, build: Build) -> float:
    policy = view.policies.get(build.id.image)
    return _SNAPSHOT_S_MAX if policy is None else policy.snapshot_s_max


def _lost(view: WorldView, build: Build, message: str, step_name: str | None = None) -> LoseBuild:
    policy = view.policies.get(build.id.image)
    attempts_max = 1 if policy is None else policy.attempts_max
    return LoseBuild(
        id=build.id,
        mishap=Mishap(step=step_name or str(build.state), blame=Blame.BUILDER, message=message),
        last=build.attempt + 1 >= attempts_max,
    )


def other_places(view: WorldView, build: Build) -> tuple[str, ...]:
    """Return where else a build is wanted: of its group, each place once."""
    places = {view.providers[name].place for name in build.group if name in view.providers}
    return tuple(sorted(places - {build.place}))
