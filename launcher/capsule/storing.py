"""Which capsules are to be stored now. Pure.

They wait in the brain's memory, few of them: of those that do not get their turn, and of those of
a launcher that dies, the record in ZooKeeper is all that there is.
"""

from typing import Final

from launcher.actions import Plan
from launcher.capsule.actions import StoreCapsule
from launcher.lanes import capsule
from launcher.world import World

#: Each takes up to a megabyte.
WAITING_MAX: Final = 32


def store_capsules(world: World, plan: Plan) -> None:
    """Add what stores each capsule that waits; where there is no place for it, it goes on."""
    for node, one in world.capsules.items():
        if capsule(node) not in world.busy:
            plan.do(StoreCapsule(node=node, capsule=one))
