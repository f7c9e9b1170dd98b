"""What is written of the host key of a held machine, as operations of one transaction; pure."""

from dataclasses import replace

from launcher.hostkey.actions import NoteHostKey
from launcher.node.view import NodeView
from launcher.node.writes import advance
from launcher.world import World
from remuda.model import node as nodes
from remuda.model.heldkey import HostKeyEvent, HostKeyStep, moved
from remuda.model.launch import Launch
from remuda.store import paths
from remuda.store.api import Op, Set


def note_host_key(world: World, view: NodeView, action: NoteHostKey) -> list[Op]:
    """Write how far the change has come; users are told the keys that we believe, no others."""
    launch = view.launch
    assert launch is not None  # noqa: S101 - judged only with both records
    hold = launch.hold
    assert hold is not None  # noqa: S101 - and only of a held machine
    change = action.change
    if change.step is HostKeyStep.CHANGED:
        change = replace(change, given=launch.host_key)
        launch = replace(launch, host_key=change.key)
    after = replace(launch, hold=replace(hold, host_key=change))
    return [tell_keys(view, after), *advance(world, view, after)]


def tell_keys(view: NodeView, launch: Launch) -> Op:
    """Return what tells users the host keys that a launch record has."""
    assert view.node is not None  # noqa: S101 - judged only with a node record
    told = view.node.with_fields(host_keys=list(launch.believed_keys))
    return Set(path=paths.node(view.id), data=nodes.encode(told), version=view.node_version)


def believing_either(launch: Launch, *, now_s: float) -> Launch:
    """Return the launch of a machine that may start as for the first time, either key believed.

    It shows the key of its user data then: that is believed again, beside the one that it has made.
    """
    hold = launch.hold
    change = None if hold is None else hold.host_key
    if hold is None or change is None or change.step is not HostKeyStep.CHANGED:
        return launch  # it shows what it was given, or either is believed
    anew = moved(change, HostKeyEvent.ANEW, at_s=round(now_s, 3))
    return replace(launch, host_key=change.given, hold=replace(hold, host_key=anew))
