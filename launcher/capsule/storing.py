"""Which capsules are to be stored now, and which are tried again. Pure.

They wait in the brain's memory, few of them: of those that do not get their turn, and of those of
a launcher that dies, the record in ZooKeeper is all that there is.
"""

from typing import Final

from launcher.actions import Plan
from launcher.capsule.actions import StoreCapsule
from launcher.capsule.view import WaitingCapsule
from launcher.lanes import capsule
from launcher.world import World
from remuda.model.capsule import Capsule
from remuda.runtime.now import Now

#: Each takes up to a megabyte.
WAITING_MAX: Final = 32
#: How long a capsule waits after each try that failed: for an object store that begins anew, then
#: for one that somebody has to look after. After the last one it is given up.
PAUSES_S: Final = (30.0, 300.0)


def store_capsules(world: World, now: Now, plan: Plan) -> None:
    """Add what stores each capsule that waits; where there is no place for it, it goes on."""
    for node, one in world.capsules.items():
        if capsule(node) in world.busy:
            continue
        if now.mono_s < one.due_s:
            plan.look_again("supply", f"capsule {node}", one.due_s)
        else:
            plan.do(StoreCapsule(node=node, capsule=one.capsule, tries=one.tries))


def tried(stored: Capsule, tries: int, now: Now) -> WaitingCapsule | None:
    """Return what waits after a try; None: every place has it, or it is given up.

    Args:
        stored: With what became of it.
        tries: How often it was tried, this one included.
        now: The time.
    """
    if tries > len(PAUSES_S) or all(one.why is None for one in stored.kept):
        return None
    return WaitingCapsule(capsule=stored, tries=tries, due_s=now.mono_s + PAUSES_S[tries - 1])
