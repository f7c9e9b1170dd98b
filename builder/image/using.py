"""Whether an image that is made on first use is used, or goes: by its last use, as far as known.

That tells a little, for anybody's clock may be wrong: a time of the future tells nothing, and what
goes is still deleted only when nothing refers to it.
"""

from typing import Final

from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.config.units import show_duration
from remuda.model.build import UNDER_WAY, BuildState

#: Nobody knows when.
_NEVER_S: Final = float("inf")


def why_idle(view: WorldView, policy: ImagePolicy) -> str | None:
    """Return why no build of an image is to be begun, or None: somebody uses it."""
    assert policy.ttl_s is not None  # noqa: S101 - it is made on first use
    stored = view.library.uses.get(policy.image)
    if stored is None:
        return "nobody has used it yet: it is made on first use"
    if stored.value.at_s is None:
        return "when it was last used cannot be read"
    if view.now_s >= view.counted(stored.value.at_s + policy.ttl_s, policy.ttl_s):
        return f"nobody has used it for {show_duration(policy.ttl_s)}: it is made on first use"
    return None


def goes_s(view: WorldView, policy: ImagePolicy) -> float:
    """Return when all builds of an image go unless it is used (wall clock); infinite: not yet.

    What was just made has all its time, whoever asked for it.
    """
    assert policy.ttl_s is not None  # noqa: S101 - it is made on first use
    stored, since_s = view.library.uses.get(policy.image), list[float]()
    if stored is not None and stored.value.at_s is None:
        return _NEVER_S
    if stored is not None and stored.value.at_s is not None:
        since_s.append(stored.value.at_s)
    for build in view.builds(policy.image):
        if build.state in UNDER_WAY:
            return _NEVER_S
        if build.state is BuildState.BUILT:
            since_s.append(build.since_s)
    return max((view.counted(one + policy.ttl_s, policy.ttl_s) for one in since_s), default=0.0)


def over(view: WorldView, policy: ImagePolicy) -> bool:
    """Whether an image was unused for its time, so that all of its builds go."""
    return policy.ttl_s is not None and view.now_s >= goes_s(view, policy)
