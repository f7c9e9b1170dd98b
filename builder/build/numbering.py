"""The next number of an image, and the build that gets it: for recipes and for captures alike."""

from builder.actions import Plan
from builder.build.actions import BeginBuild
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.model.build import Why
from remuda.model.capture import Captured
from remuda.model.image import BUILD_NUMBER_MAX, BuildId, ImageRecord


def begin_next(
    view: WorldView,
    policy: ImagePolicy,
    image: ImageRecord,
    plan: Plan,
    *,
    group: tuple[str, ...],
    why: Why,
    captured: Captured | None = None,
) -> None:
    """Add the next build of an image, or say why it is not begun by us."""
    number = image.last_build + 1
    if number > BUILD_NUMBER_MAX:
        plan.wait(policy.image, "its numbers are used up")
    elif not view.mine(f"image {policy.image}"):
        plan.wait(policy.image, "another builder begins it")
    else:
        plan.do(
            BeginBuild(
                id=BuildId(policy.image, number),
                group=group,
                why=why,
                fingerprint=policy.fingerprint,
                captured=captured,
            )
        )
