"""How many machines and images are kept for whom, and how long already: for gauges. Pure."""

from collections import Counter
from typing import Final

from launcher.world import World
from remuda.model.holdowner import owner_of
from remuda.model.takehome import TakeHomeState
from remuda.runtime.now import Now

#: Owners are what anybody writes: a dashboard has room for so many.
OWNERS_MAX: Final = 20
OTHERS: Final = "others"
#: An image that is being deleted is there until its record goes.
_THERE: Final = frozenset({TakeHomeState.WHOLE, TakeHomeState.ENDING})
GRANTED: Final = "granted"
_AGES: Final = ((3600.0, "hour"), (86_400.0, "day"), (7 * 86_400.0, "week"))


def held_by(world: World, now: Now) -> dict[tuple[str, str], int]:
    """Return the number of machines by owner and age; costs as many looks as there are holds."""
    found: Counter[tuple[str, str]] = Counter()
    for node_id in world.nodes.kept:
        view = world.nodes.views[node_id]
        hold = None if view.launch is None else view.launch.hold
        if hold is not None and hold.refused is None:
            found[hold.owner, _age(hold.since_s, now)] += 1
        elif view.node is not None:
            found[owner_of(view.node), _age(view.node.state_time_s, now)] += 1
    return _named(found)


def images_by(world: World, now: Now) -> dict[tuple[str, str], int]:
    """Return the number of images that held machines became, by owner and age."""
    found: Counter[tuple[str, str]] = Counter()
    for stored in world.take_homes.values():
        one = stored.value
        if one.state in _THERE:
            found[one.by, _age(one.since_s, now)] += 1
    return _named(found)


def _named(found: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the same with owners beyond the first twenty as one."""
    most = Counter[str]()
    for (owner, _), count in found.items():
        most[owner] += count
    named = {
        owner for owner, _ in sorted(most.items(), key=lambda one: (-one[1], one[0]))[:OWNERS_MAX]
    }
    told: Counter[tuple[str, str]] = Counter()
    for (owner, age), count in found.items():
        told[owner if owner in named else OTHERS, age] += count
    return dict(told)


def _age(since_s: float | None, now: Now) -> str:
    if since_s is None:
        return GRANTED
    return next((word for most_s, word in _AGES if now.wall_s - since_s < most_s), "longer")
