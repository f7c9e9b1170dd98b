"""Builds that are made of jobs' machines: which are begun, and which of them are taken.

What a holder asks lies in the launch of its node, once the node's launcher has taken it. One build
is begun for each; many of one image may be under way, and the order is that of their numbers.
"""

from typing import Final

from builder.actions import Plan
from builder.build.actions import TakeBuild
from builder.build.numbering import begin_next
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images.references import upload_of
from remuda.model.build import Build, Why
from remuda.model.capture import Capture, Captured
from remuda.model.image import BuildId, ImageRecord, UploadId
from remuda.model.launch import Launch, Step
from remuda.model.upload import WHOLE

#: A mirror of launches may be so much older than one of builds.
_LATE_S: Final = 60.0
#: A build that nobody could begin by then is not begun: whoever waited for it is gone.
WANTED_S_MAX: Final = 24 * 3600.0
NO_RECIPE: Final = "it is captured of jobs' machines, so that no command begins a build"


def begin(view: WorldView, policy: ImagePolicy, image: ImageRecord, plan: Plan) -> None:
    """Add the build that is to be begun next for what holders ask."""
    begun = {
        (one.captured.node, one.captured.token)
        for one in view.builds(policy.image)
        if one.captured is not None
    }
    for provider, launch, capture in view.captures(policy.image):
        if capture.build is not None or (launch.id, capture.ask.token) in begun:
            continue
        machine, group = _machine(provider, launch, capture), policy.groups[0]
        begin_next(view, policy, image, plan, group=group, why=Why.CAPTURE, captured=machine)
        return
    if image.wanted is not None and image.last_build <= image.wanted_above:
        plan.wait(policy.image, NO_RECIPE)


def _machine(provider: str, launch: Launch, capture: Capture) -> Captured:
    return Captured(
        node=launch.id,
        provider=provider,
        pool=launch.pool,
        label=launch.label,
        requestor=capture.requestor,
        token=capture.ask.token,
    )


def no_more(view: WorldView, policy: ImagePolicy, build: Build, machine: Captured) -> str | None:
    """Return why a build that is requested is not made any more, or None."""
    if policy.capture_refusal is None:
        return "it has a recipe now, and is not captured any more"
    if (why := policy.capture_refusal(machine)) is not None:
        return why
    launch = launch_of(view, machine)
    late = view.now_s >= view.counted(build.since_s, 0.0) + _LATE_S
    if launch is None or launch.step is not Step.DONE:
        return f"node {machine.node} is not there any more" if late else None
    if view.now_s >= view.counted(build.requested_s, 0.0) + WANTED_S_MAX:
        return f"no builder could begin it in {WANTED_S_MAX / 3600:g} hours"
    revoked = _revoked(view, upload_of(launch))
    return None if revoked is None else f"node {machine.node} boots {revoked}, which is revoked"


def launch_of(view: WorldView, machine: Captured) -> Launch | None:
    """Return the launch of a machine whose holder asks for an image, as far as we see."""
    return view.asking.get((machine.provider, machine.node))


def _revoked(view: WorldView, booted: UploadId | None) -> BuildId | None:
    build = None if booted is None else view.build(booted.build)
    return None if build is None or build.revoked is None else build.id


def take(view: WorldView, build: Build, machine: Captured, plan: Plan) -> None:
    """Begin it where the machine is, or say why it waits."""
    facts, launch = view.providers.get(machine.provider), launch_of(view, machine)
    why: str | None
    if launch is None:
        why = f"the launch of node {machine.node} is not known yet"
    elif facts is None:
        why = f"{machine.provider}: nobody knows yet where its images lie"
    else:
        why = facts.trouble or facts.full
    if why is not None or facts is None or launch is None:
        plan.wait(build.id, why or "")
        return
    plan.do(
        TakeBuild(
            id=build.id,
            provider=facts.name,
            place=facts.place,
            parent=_parent(view, launch, facts.place),
            base=None,
        )
    )


def _parent(view: WorldView, launch: Launch, place: str) -> UploadId | None:
    """Return the upload that the machine boots, if it is one of ours that may still be booted.

    With it the image would be revoked.
    """
    booted = upload_of(launch)
    upload = None if booted is None else view.upload(booted)
    if booted is None or upload is None or view.build(booted.build) is None:
        return None
    return booted if booted.place == place and upload.state in WHOLE else None
