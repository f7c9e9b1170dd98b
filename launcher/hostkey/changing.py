"""Whether the host key of a held machine is to be changed, and how far that has come. Pure.

The key that we gave to a machine came with its user data: whoever was on the machine, its job
first of all, can read it through the metadata service, and pose as the machine to its people. So
what is held makes itself another key. What is done is on record before and after: first the new
key lies beside the old one, then its public part is on record and either is believed, then the
machine shows it, and at last the record and the users' record have it alone.
"""

from launcher.hostkey.actions import MakeHostKey, NoteHostKey, SwitchHostKey
from launcher.node.view import NodeView
from launcher.policy import Policy
from remuda.model.heldkey import HostKeyStep
from remuda.model.launch import Launch

HostKeyAction = MakeHostKey | SwitchHostKey | NoteHostKey


def change_host_key(policy: Policy, view: NodeView, launch: Launch) -> HostKeyAction | None:
    """Return the next step towards another host key, or None: there is none to do.

    The node is held. A machine that has made its key itself is left alone: its user data has none.
    """
    hold = launch.hold
    if hold is None or not hold.begun or launch.host_key is None:
        return None
    news = view.host_key
    if news is not None and news.before == hold.host_key:
        return NoteHostKey(node=view.id, change=news.after)
    if hold.lost is not None:
        return None  # it would not answer; nor is anybody led to it
    if hold.host_key is None or hold.host_key.step is HostKeyStep.ANEW:
        unless = None if hold.host_key is None else hold.host_key.key
        make = MakeHostKey(node=view.id, unless=unless)
        return make if policy.holds.change_host_key else None
    if hold.host_key.step is HostKeyStep.MADE and hold.host_key.key is not None:
        return SwitchHostKey(node=view.id, key=hold.host_key.key)
    return None
