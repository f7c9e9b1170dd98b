"""The listing against the records: leaks to delete, with two sightings and a brake.

Nothing is deleted on the word of an empty store, a lying list or a bad configuration: a leak must
carry our installation's tag, be shown twice, and more leaks than a few at once stop the sweep.
"""

from typing import Final

from launcher.actions import DeleteLeak, Plan
from launcher.world import World
from remuda.model.ids import ServerId

SIGHTINGS_MIN: Final = 2
#: More leaks than this at once, and more than this part of all our servers, look like a lost
#: store rather than like leaks.
LEAKS_MAX: Final = 5
LEAK_PART_MAX: Final = 0.2


def leaks(world: World) -> tuple[list[ServerId], str | None]:
    """Return the servers that are surely leaked, and why the sweep is stopped, or None."""
    sure = [
        server
        for server, sightings in world.cloud.strays.items()
        if sightings >= SIGHTINGS_MIN and server not in world.cloud.leaks_busy
    ]
    bound = max(LEAKS_MAX, LEAK_PART_MAX * len(world.cloud.servers))
    if len(sure) > bound:
        return [], (
            f"{len(sure)} servers carry our tag but have no record, more than {bound:.0f}: "
            "is this the right ZooKeeper? Nothing was deleted"
        )
    return sure, None


def sweep(world: World, plan: Plan) -> None:
    """Add a DeleteLeak for each sure leak."""
    if not world.neighbours.duty("sweep"):
        return
    sure, plan.brake = leaks(world)
    plan.swept = True
    search = world.may_have_floating_ips()
    for server in sure:
        plan.do(DeleteLeak(server=server, cause="no record", search=search))
