"""To whom a held machine opens, and by which key it is known. Pure."""

from launcher.guest.keeping import KeyAction, keep_keys
from launcher.hostkey.changing import HostKeyAction, change_host_key
from launcher.node.view import NodeView
from launcher.policy import Policy
from remuda.model.launch import Launch
from remuda.model.node import Node
from remuda.runtime.now import Now


def keep_open(
    policy: Policy, view: NodeView, launch: Launch, node: Node, now: Now
) -> HostKeyAction | KeyAction | None:
    """Return the next step of a held machine's own key, then of its people's; None: none is due.

    Its own comes first: nobody is to be let in as long as another machine may pose as it. Its keys
    stand in the users' record, which is another's to write as long as they have its lock.
    """
    step = change_host_key(policy, view, launch)
    if step is not None:
        return None if view.locked else step
    return keep_keys(policy, view, launch.hold, node, now)
