"""The next step of each build."""

from typing import Final

from builder.decide.actions import (
    BuilderPlan,
    KeepSnapshot,
    LoseBuild,
    Make,
    Supersede,
    TakeBuild,
    in_order,
)
from builder.decide.policy import ImagePolicy, pause_s_max
from builder.decide.world import ASKED_S_MAX, BuilderWorld, ProviderFacts
from remuda.model.build import Blame, Build, BuildState, Mishap
from remuda.model.image import BuildId, UploadId
from remuda.model.upload import UploadState

#: The same for an image whose recipe is gone.
_SNAPSHOT_S_MAX: Final = 7200.0


def unwanted(build: Build) -> str | None:
    """Return why a build is not wanted any more, or None."""
    if build.revoked is not None:
        return f"revoked by {build.revoked.word.who}: {build.revoked.word.why}"
    if build.unwanted is not None:
        return f"deleted by {build.unwanted.who}: {build.unwanted.why}"
    return None


def step(world: BuilderWorld, build: Build, plan: BuilderPlan) -> None:
    """Add what is to be done for a build that is under way, or say why it waits."""
    if str(build.id) in world.busy:
        plan.wait(build.id, f"being worked on: {build.state}")
        return
    match build.state:
        case BuildState.REQUESTED:
            _requested(world, build, plan)
        case BuildState.BUILDING:
            _building(world, build, plan)
        case BuildState.SNAPSHOTTING:
            _snapshotting(world, build, plan)
        case _:
            pass


def _requested(world: BuilderWorld, build: Build, plan: BuilderPlan) -> None:
    policy = world.policies.get(build.id.image)
    paused = world.paused(build.id.image)
    no_more = unwanted(build)
    if not world.mine(str(build.id)):
        plan.wait(build.id, "another builder takes it")
    elif no_more is not None:
        # A revocation that came with a parent stays with the build when it is given back.
        plan.do(Supersede(id=build.id, because=no_more))
    elif policy is None:
        plan.wait(build.id, "its recipe is not in the configuration")
    elif build.fingerprint != policy.fingerprint:
        plan.do(Supersede(id=build.id, because="the recipe has changed"))
    elif build.group not in policy.groups:
        plan.do(Supersede(id=build.id, because="the providers of the recipe have changed"))
    elif paused is not None:
        plan.wait(build.id, paused)
    elif world.now_s < (retry_s := world.counted(build.retry_s, pause_s_max(policy))):
        plan.wait(build.id, _said(build) or "it is tried again later", retry_s)
    else:
        _take(world, policy, build, plan)


def _said(build: Build) -> str | None:
    return None if build.mishap is None else f"{build.mishap.step}: {build.mishap.message}"


def _take(world: BuilderWorld, policy: ImagePolicy, build: Build, plan: BuilderPlan) -> None:
    """Begin it in the first provider of its group that can make it now, or in one after it."""
    reasons, ways = [], list[TakeBuild]()
    for name in build.group:
        facts = world.providers.get(name)
        if name in policy.copies:
            continue
        if facts is None:
            reasons.append(f"{name}: nobody knows yet where its images lie")
            continue
        parent, why_not = _parent(world, policy, facts)
        why_not = facts.trouble or facts.full or why_not
        if why_not is None:
            base = None if parent else world.bases.get((build.id.image, name))
            ways.append(
                TakeBuild(id=build.id, provider=name, place=facts.place, parent=parent, base=base)
            )
        else:
            reasons.append(f"{name}: {why_not}")
    first = in_order(ways)
    if first is not None:
        plan.do(first)
    else:
        plan.wait(build.id, "; ".join(reasons) or "no provider is to have it")


def _parent(
    world: BuilderWorld, policy: ImagePolicy, facts: ProviderFacts
) -> tuple[UploadId | None, str | None]:
    """Return the upload that a build starts from there, or why there is none."""
    if policy.parent is None:
        if (policy.image, facts.name) in world.bases:
            return None, None
        return None, "its base is not there"
    pointer = world.library.pointers.get((policy.parent, facts.name))
    number = None if pointer is None else pointer.value.served(world.now_s)
    if pointer is None or number is None or pointer.value.place != facts.place:
        return None, f"{policy.parent}, which it starts from, has no usable build"
    upload_id = UploadId(BuildId(policy.parent, number), facts.place)
    upload, build = world.upload(upload_id), world.build(upload_id.build)
    if upload is None or build is None or upload.state is not UploadState.USABLE:
        return None, f"{upload_id.build}, which it starts from, is not usable"
    if build.revoked is not None:
        return None, f"{upload_id.build}, which it starts from, is revoked"
    return upload_id, None


def _building(world: BuilderWorld, build: Build, plan: BuilderPlan) -> None:
    no_more = unwanted(build)
    ours = build.owner == world.me or (world.dead(build.owner) and world.mine(str(build.id)))
    if ours and no_more is not None:
        plan.do(_ended(build, no_more))
    elif build.owner == world.me:
        plan.do(Make(id=build.id))
    elif ours:
        plan.do(_lost(world, build, "its builder died"))
    else:
        plan.wait(build.id, f"{build.owner} makes it")


def _snapshotting(world: BuilderWorld, build: Build, plan: BuilderPlan) -> None:
    """Find out what became of a snapshot whose builder died, or whose hand did."""
    ours = build.owner == world.me or (world.dead(build.owner) and world.mine(str(build.id)))
    listing = world.listing(build.place)
    found = listing.named(build.cloud_name)
    steady = listing.steady(build.cloud_name)
    # Our own hand may have only begun; it names its deadline, as every owner does.
    asked_s = world.counted(max(build.since_s, build.asked_by_s), ASKED_S_MAX)
    no_more = unwanted(build)
    limit_s = _snapshot_s_max(world, build)
    ends_s = world.counted(build.since_s + limit_s, limit_s)
    if not ours:
        plan.wait(build.id, f"{build.owner} makes it")
    elif world.now_s < asked_s:
        plan.wait(build.id, "the cloud may still be asked for its snapshot", asked_s)
    elif no_more is not None:
        plan.do(_ended(build, no_more))  # what the cloud has of it is swept by its tags
    elif steady is not None:
        plan.do(KeepSnapshot(id=build.id, snapshot=steady.id, also=other_places(world, build)))
    elif found is not None and world.now_s < ends_s:
        plan.wait(build.id, "its snapshot is not finished", ends_s)
    elif (
        found is None
        and not listing.without(asked_s, lambda one: one.name == build.cloud_name)
        and (world.now_s < ends_s or _listable(world, build.place))
    ):
        because = "two listings have to tell whether there is a snapshot of it"
        plan.wait(build.id, because, ends_s if world.now_s < ends_s else None)
    else:
        plan.do(_lost(world, build, "its builder died, and left no whole snapshot"))


def _listable(world: BuilderWorld, place: str | None) -> bool:
    """Whether a provider without trouble lies there, so that its images are listed."""
    return any(one.trouble is None for one in world.at(place or ""))


def _ended(build: Build, no_more: str) -> LoseBuild:
    """Return the end of a build that nobody wants any more."""
    mishap = Mishap(step=str(build.state), blame=Blame.RECIPE, message=no_more)
    return LoseBuild(id=build.id, mishap=mishap, last=True)


def _snapshot_s_max(world: BuilderWorld, build: Build) -> float:
    policy = world.policies.get(build.id.image)
    return _SNAPSHOT_S_MAX if policy is None else policy.snapshot_s_max


def _lost(world: BuilderWorld, build: Build, message: str) -> LoseBuild:
    policy = world.policies.get(build.id.image)
    attempts_max = 1 if policy is None else policy.attempts_max
    return LoseBuild(
        id=build.id,
        mishap=Mishap(step=str(build.state), blame=Blame.BUILDER, message=message),
        last=build.attempt + 1 >= attempts_max,
    )


def other_places(world: BuilderWorld, build: Build) -> tuple[str, ...]:
    """Return where else a build is wanted: of its group, each place once."""
    places = {world.providers[name].place for name in build.group if name in world.providers}
    return tuple(sorted(places - {build.place}))
