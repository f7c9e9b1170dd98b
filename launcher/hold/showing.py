"""What the status endpoint shows of held machines. Pure."""

from heapq import nsmallest
from typing import Any, Final

from launcher.world import World
from remuda.insight.holding import by_whom
from remuda.model.hold import Hold
from remuda.model.ids import NodeId
from remuda.model.launch import Launch

#: So many are shown, those first that end first.
SHOWN_MAX: Final = 100


def shown(world: World) -> dict[str, Any]:
    """Return the held machines of our provider: how many, and what is known of the first."""
    found = [
        (hold.ends_s or float("inf"), launch.id, launch, hold)
        for launch in (world.nodes.views[node_id].launch for node_id in world.nodes.kept)
        if launch is not None and (hold := launch.hold) is not None and hold.refused is None
    ]
    first = nsmallest(SHOWN_MAX, found, key=lambda one: one[:2])
    return {
        "count": len(found),
        "first": [_one(world, launch, hold) for _, _, launch, hold in first],
    }


def _one(world: World, launch: Launch, hold: Hold) -> dict[str, Any]:
    image = world.take_homes.get(NodeId(launch.id))
    return {
        "node": launch.id,
        "label": launch.label,
        "pool": launch.pool,
        "owner": hold.owner,
        "reason": hold.reason,
        "job": hold.job,
        "by": by_whom(hold),
        "begun": hold.begun,
        "since_at_s": hold.since_s,
        "ends_at_s": hold.ends_s,
        "logins": list(hold.logins),
        "seen_at_s": hold.seen_s,
        "lost": hold.lost,
        "bounded": hold.bounded,
        "take_home": None if image is None else str(image.value.state),
    }
