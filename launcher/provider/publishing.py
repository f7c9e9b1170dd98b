"""Telling the others this provider's status: at once what they would act on, details now and then.

Every launcher of another provider reads what we tell, so a short life of a node must not change
it: what is told at once is rough where exact numbers make no difference to anybody's choice.
"""

from collections.abc import Mapping

from launcher.actions import Plan
from launcher.lanes import STATUS
from launcher.provider.actions import Publish
from launcher.provider.status import our_status
from launcher.request.actions import Allocate
from launcher.request.bids import BOOT_CLASS_S
from launcher.world import World
from remuda.model.status import LabelStatus, ProviderStatus, encode_status
from remuda.runtime.now import Now

#: The status is published at most this often.
PUBLISH_PERIOD_S = 1.0
#: What only people look at (use of pools, quota, the last one of many) is so old at the most.
DETAILS_PERIOD_S = 10.0
#: Small numbers decide who may serve a request and are told exactly.
EXACT_MAX = 4


def publish(world: World, now: Now, plan: Plan) -> None:
    """Publish our status when it changed.

    Whoever starts launches speaks: breakers and refusals are known to that process only. As long as
    it does not know what it can make it says nothing: that it has no room would be taken for true,
    and others would fill the stock alone.
    """
    if STATUS in world.busy or not world.peers.assigned("demand"):
        return
    if world.policy.making and world.cloud.unseen:
        return
    if now.mono_s < world.publish_due_s:
        plan.look_again("cloud", "publish", world.publish_due_s)
        return
    if any(isinstance(action, Allocate) for action in plan.actions):
        return  # somebody waits for that; its outcome brings the next plan at once
    status = our_status(world, now)
    rough = outline(status)
    details_due_s = world.publish_due_s + DETAILS_PERIOD_S - PUBLISH_PERIOD_S
    if rough == world.outlined and now.mono_s < details_due_s:
        plan.look_again("cloud", "publish", details_due_s)
        return
    encoded = encode_status(status)
    if encoded != world.published:
        plan.do(Publish(status=encoded, outline=rough))


def outline(status: ProviderStatus) -> str:
    """Return what others act on, in words that change only if they might act otherwise."""
    pools = sorted((name, _labels(one.labels)) for name, one in status.pools.items())
    return repr(
        (status.priority, status.trouble, status.config_error, pools, _labels(status.labels))
    )


def _labels(labels: Mapping[str, LabelStatus]) -> list[tuple[str, tuple[object, ...]]]:
    return sorted((name, _label(one)) for name, one in labels.items())


def _label(one: LabelStatus) -> tuple[object, ...]:
    boot_class = None if one.boot_s is None else round(one.boot_s / BOOT_CLASS_S)
    numbers = (_rough(one.ready), _rough(one.coming), _rough(one.room))
    return (*numbers, boot_class, one.broken, one.failures)


def _rough(n: int) -> int:
    """Return small numbers as they are, larger ones by powers of two."""
    return n if n <= EXACT_MAX else EXACT_MAX + (n - 1).bit_length()
