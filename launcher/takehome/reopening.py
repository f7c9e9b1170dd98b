"""A take-home image that is booted again as a machine of ours: by whom, and what it boots. Pure.

A request names the node of the hold and nothing else: which image that is, our own record says.
"""

from launcher.node.actions import Condemn
from launcher.node.shortage import Shortage
from launcher.node.view import NodeView
from launcher.policy import Key
from launcher.request.view import RequestView
from launcher.world import World
from remuda.cloud.api import Image
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.model.takehome import TakeHome, TakeHomeState


def opened(world: World, key: Key, view: RequestView) -> NodeId | Shortage:
    """Return the node whose image a new machine of a request boots, or why it cannot."""
    node = view.request.opens
    assert node is not None  # noqa: S101 - asked of such requests only
    found = _whole(world, node)
    if found is None:
        return Shortage(reason=f"there is no take-home image of node {node} here", final=True)
    if view.request.labels != (found.label,) or key[1] != found.label:
        reason = f"the image of node {node} is opened as one machine of label {found.label}"
        return Shortage(reason=reason, final=True)
    return node


def image_of(world: World, launch: Launch) -> Image | None:
    """Return what the cloud is told to boot; None: it is no such machine."""
    if launch.opened is None:
        return None
    found = _whole(world, launch.opened)
    if found is None:
        raise KeyError(launch.opened)
    return Image(
        id=found.cloud_image or "",
        name=f"take-home image {found.node}",
        min_disk_gib=found.min_disk_gib,
        size_bytes=found.size_bytes,
    )


def closed(world: World, launch: Launch) -> str | None:
    """Return why what a planned machine is to boot is not there any more, or None."""
    if launch.opened is None or _whole(world, launch.opened) is not None:
        return None
    return f"the take-home image of node {launch.opened} is gone"


def left(world: World, view: NodeView, launch: Launch) -> Condemn | None:
    """End a ready machine whose request is gone: nobody else may get what a job has left on it."""
    if launch.opened is None:
        return None
    if launch.for_request is not None and world.request_exists(launch.for_request):
        return None
    return Condemn(node=view.id, cause="its request is gone, and it was opened for that alone")


def _whole(world: World, node: NodeId) -> TakeHome | None:
    stored = world.take_homes.get(node)
    if stored is None or stored.value.state is not TakeHomeState.WHOLE:
        return None
    return stored.value
