"""To whom a held machine opens, and by which key it is known. Pure."""

from launcher.guest.keeping import KeyAction, keep_keys
from launcher.hostkey.changing import HostKeyAction, change_host_key
from launcher.node.view import NodeView
from launcher.takehome.taking import may_start_anew
from launcher.world import World
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.runtime.now import Now


def keep_open(
    world: World, view: NodeView, launch: Launch, node: Node, now: Now
) -> HostKeyAction | KeyAction | None:
    """Return the next step of a held machine's own key, then of its people's; None: none is due.

    Its own comes first: nobody is to be let in as long as another machine may pose as it. Its keys
    stand in the users' record, which is another's to write as long as they have its lock; and as
    long as the machine may start anew, either is believed.
    """
    anew = may_start_anew(world, launch)
    step = None if anew else change_host_key(world.policy, view, launch)
    if step is not None:
        return None if view.locked else step
    return keep_keys(world.policy, view, launch.hold, node, now)
