"""What the launcher learns from how launches end: breakers, ceilings, expected boot times."""

from typing import Final

from launcher.breaker import DOUBLINGS_MAX
from launcher.views import NodeView
from launcher.world import Now, World
from remuda.cloud.api import CloudError, NoRoomError, TryLaterError
from remuda.metrics.results import Result
from remuda.ssh.api import Proof, Step

#: After a refusal for lack of room nothing is asked of the pool for so long, doubling.
NO_ROOM_S: Final = 5.0
NO_ROOM_MAX_S: Final = 300.0


def result_of(error: CloudError) -> Result:
    """Return the word for a failed create call, as in metrics."""
    return Result.QUOTA if isinstance(error, NoRoomError) else Result.ORDER


def failed_step(proof: Proof) -> Result:
    """Return the word for a proof that failed."""
    failed = next((one.step for one in proof.steps if not one.ok), Step.CONNECT)
    words = {Step.CONNECT: Result.NETWORK, Step.HOST_KEY: Result.KEYSCAN}
    return words.get(failed, Result.SSH)


def charge_failure(world: World, view: NodeView, why: str, now: Now) -> None:
    """Count a failed launch against the breaker of its kind and the request that waits for it."""
    key, policy = view.key, world.policy
    world.cloud.breakers[key] = world.cloud.breaker(key).failed(
        now_s=now.mono_s,
        why=why,
        threshold=policy.breaker_failures,
        base_s=policy.breaker_base_s,
        max_s=policy.breaker_max_s,
    )
    until_s = world.cloud.breakers[key].open_until_s
    if now.mono_s < until_s:
        world.alarm("supply", f"breaker {key}", until_s)
    only = None if view.launch is None else view.launch.for_request
    for waiting in world.queue.wanting(key[1]):
        claim = world.queue.claims.get(waiting.id)
        if claim is not None and claim.pool == key[0] and only in (None, waiting.id):
            claim.failures += 1
            claim.why = why
            world.agenda.requests.add(waiting.id)
            break
    world.agenda.supply = True


def learn_success(world: World, view: NodeView, now: Now) -> None:
    """A node of this kind became ready: its breaker closes, its boot time is known."""
    if view.launch is None:
        return
    world.cloud.breakers.pop(view.key, None)
    world.cloud.no_room_times.pop(view.key[0], None)
    world.cloud.learn_boot(view.key, max(0.0, now.wall_s - view.launch.planned_s))
    world.agenda.supply = True


def learn_no_room(world: World, pool: str, error: CloudError, now: Now) -> None:
    """The cloud refused for lack of room, or asked us to wait: leave the pool alone for a while."""
    cloud = world.cloud
    times = cloud.no_room_times.get(pool, 0)
    pause_s = min(NO_ROOM_MAX_S, NO_ROOM_S * 2.0 ** min(times, DOUBLINGS_MAX))
    if isinstance(error, TryLaterError):
        pause_s = error.retry_after_s
    else:
        cloud.no_room_times[pool] = times + 1
    cloud.no_room_until_s[pool] = max(cloud.no_room_until_s.get(pool, 0.0), now.mono_s + pause_s)
    cloud.no_room_why[pool] = str(error)
    cloud.survey_due_s = min(cloud.survey_due_s, now.mono_s)
    world.alarm("supply", f"room {pool}", cloud.no_room_until_s[pool])
