"""What is written of the host key of a held machine, as operations of one transaction; pure."""

from dataclasses import replace

from launcher.hostkey.actions import NoteHostKey
from launcher.node.view import NodeView
from launcher.node.writes import advance
from launcher.world import World
from remuda.model import node as nodes
from remuda.model.heldkey import HostKeyStep
from remuda.store import paths
from remuda.store.api import Op, Set


def note_host_key(world: World, view: NodeView, action: NoteHostKey) -> list[Op]:
    """Write how far the change has come; users are told the keys that we believe, no others."""
    launch, node = view.launch, view.node
    assert launch is not None  # noqa: S101 - judged only with both records
    assert launch.hold is not None  # noqa: S101 - and only of a held machine
    assert node is not None  # noqa: S101
    change = action.change
    after = replace(launch, hold=replace(launch.hold, host_key=change))
    if change.step is HostKeyStep.CHANGED:
        after = replace(after, host_key=change.key)
    told = node.with_fields(host_keys=list(after.believed_keys))
    return [
        Set(path=paths.node(view.id), data=nodes.encode(told), version=view.node_version),
        *advance(world, view, after),
    ]
