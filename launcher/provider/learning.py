"""What the launcher learns from how launches end: breakers, ceilings, expected boot times."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from launcher.node.blame import address_result
from launcher.node.end import Refusal
from launcher.node.view import NodeView
from launcher.policy import Key
from launcher.provider.breaker import DOUBLINGS_MAX
from launcher.provider.cloud import Refused
from launcher.provider.events import Surveyed
from launcher.world import World
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    GoneError,
    NoRoomError,
    TryLaterError,
)
from remuda.runtime.now import Now

T = TypeVar("T")

#: After a refusal for lack of room nothing is asked of the pool for so long, doubling.
NO_ROOM_S: Final = 5.0
NO_ROOM_MAX_S: Final = 300.0
#: After a create call without an answer: as long at first, but not so long at most.
NO_ANSWER_MAX_S: Final = 30.0
#: After a floating IP was refused the node tries again, doubling.
ADDRESS_AGAIN_S: Final = 5.0
ADDRESS_AGAIN_MAX_S: Final = 60.0


def learn_failure(world: World, view: NodeView, why: str, now: Now) -> None:
    """Count a failed launch against the breaker of its kind.

    The request that is charged for it is found by its record (see ``launcher.claim.charges``).
    """
    key, policy = view.key, world.policy
    world.agenda.supply = True
    if not _of_its_label(view):
        return
    world.cloud.breakers[key] = world.cloud.breaker(key).failed(
        now_s=now.mono_s,
        why=why,
        threshold=policy.breaker_failures,
        base_s=policy.breaker_base_s,
        max_s=policy.breaker_max_s,
    )
    until_s = world.cloud.breakers[key].open_until_s
    if now.mono_s < until_s:
        world.alarms.set("supply", f"breaker {key}", until_s)


def _of_its_label(view: NodeView) -> bool:
    """Whether a machine tells of others of its label: not one that boots what a job has left.

    Whoever was root on it could close the label to everybody, by an image that does not boot.
    """
    return view.launch is None or view.launch.opened is None


def learn_success(world: World, view: NodeView, now: Now) -> None:
    """A node of this kind became ready: its breaker closes, its boot time is known."""
    world.agenda.supply = True
    if view.launch is None or not _of_its_label(view):
        return
    world.cloud.breakers.pop(view.key, None)
    world.cloud.no_room_times.pop(view.key[0], None)
    world.cloud.ready_s[view.key] = now.wall_s
    world.cloud.no_room_refusals.pop(view.key[0], None)
    if view.launch.first_use is None:  # what takes longer says nothing of the others
        world.cloud.learn_boot(view.key, max(0.0, now.wall_s - view.launch.planned_s))


def learn_refusal(world: World, view: NodeView, error: BadOrderError, now: Now) -> None:
    """The cloud refused an order: before the next one like it, what it names is looked up anew."""
    if not _of_its_label(view):
        return
    cloud = world.cloud
    cloud.doubted[view.looked_up] = now.mono_s
    if view.launch is None or view.launch.image_build is None:
        cloud.refusals[view.looked_up] = Refused(why=str(error), at_s=now.mono_s)


def learn_recipes(world: World, event: Surveyed) -> None:
    """Take in what labels resolve to now; what is made otherwise than before may be well again."""
    cloud = world.cloud
    for key, recipe in event.recipes.items():
        if cloud.recipes.get(key, recipe) != recipe:
            cloud.breakers.pop(key, None)
    cloud.recipes = {**_others(cloud.recipes, event.only), **event.recipes}
    cloud.broken = {**_others(cloud.broken, event.only), **event.broken}
    # A refusal that came between the order of a survey and its beginning was not looked at by it.
    asked_s = event.begun_s
    cloud.refusals = {
        **_others(cloud.refusals, event.only),
        **{key: one for key, one in cloud.refusals.items() if one.at_s > asked_s},
    }
    cloud.doubted = {
        **_others(cloud.doubted, event.only),
        **{key: at_s for key, at_s in cloud.doubted.items() if at_s > asked_s},
    }


def _others(known: Mapping[Key, T], only: frozenset[Key] | None) -> dict[Key, T]:
    """Return what a survey did not look up."""
    return {} if only is None else {key: one for key, one in known.items() if key not in only}


def learn_no_room(world: World, pool: str, error: CloudError, now: Now) -> None:
    """The cloud refused for lack of room, or asked us to wait: leave the pool alone for a while."""
    cloud = world.cloud
    news = _pause(world, pool, error, now, most_s=NO_ROOM_MAX_S)
    cloud.no_room_refusals[pool] += news and isinstance(error, NoRoomError)
    cloud.no_room_why[pool] = f"the cloud refused for lack of room ({error})"
    if news:
        cloud.survey_due_s = min(cloud.survey_due_s, now.mono_s)


def learn_no_answer(world: World, pool: str, error: CloudError, now: Now) -> None:
    """A create call had no answer: more of them would be lost as well, and each takes up room."""
    _pause(world, pool, error, now, most_s=NO_ANSWER_MAX_S)
    world.cloud.no_room_why[pool] = f"the cloud did not say whether it made a server ({error})"
    world.agenda.supply = True  # who counted on that one needs another


def _pause(world: World, pool: str, error: CloudError, now: Now, *, most_s: float) -> bool:
    """Ask nothing of a pool for a while, longer each time; return whether that is news."""
    cloud = world.cloud
    times, until_s = cloud.no_room_times.get(pool, 0), cloud.no_room_until_s.get(pool, 0.0)
    news = times == 0 or now.mono_s >= until_s  # else what was begun before says the same once more
    if isinstance(error, TryLaterError):
        pause_s = error.retry_after_s
    else:
        times = cloud.no_room_times[pool] = times + news
        pause_s = min(most_s, NO_ROOM_S * 2.0 ** min(times - 1, DOUBLINGS_MAX))
    cloud.no_room_until_s[pool] = max(until_s, now.mono_s + pause_s)
    world.alarms.set("supply", f"room {pool}", cloud.no_room_until_s[pool])
    return news


def learn_no_address(world: World, view: NodeView, error: CloudError, now: Now) -> None:
    """A machine that runs was refused its floating IP: it tries again, if that can help."""
    refused = Refusal(result=address_result(error), cause=f"no floating IP: {error}")
    view.address = replace(view.address, refusal=refused)
    if isinstance(error, BadOrderError):
        # A network without a way to the outside has none for the next machine either.
        view.end = replace(view.end, refused=refused)
        return
    if isinstance(error, NoRoomError):
        # Whoever is begun now could not be reached either.
        learn_no_room(world, view.key[0], error, now)
    if isinstance(error, GoneError):
        view.server.port = None  # Nova has replaced it: look again
    pause_s = ADDRESS_AGAIN_S * 2.0 ** min(view.patience.tries, DOUBLINGS_MAX)
    if isinstance(error, TryLaterError):
        pause_s = max(pause_s, error.retry_after_s)
    view.patience.retry_s = now.mono_s + min(ADDRESS_AGAIN_MAX_S, pause_s)
    view.patience.tries += 1
