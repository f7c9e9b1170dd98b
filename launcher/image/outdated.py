"""Machines whose image is not booted any more: those that nobody has yet go."""

from launcher.image.binding import left_out
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.world import World
from remuda.images.references import upload_of
from remuda.model.ids import RequestId
from remuda.model.imageask import proves
from remuda.model.launch import Launch


def unbootable(world: World, launch: Launch) -> str | None:
    """Return why what a planned machine is to boot is not booted any more, or None."""
    upload_id = upload_of(launch)
    if upload_id is None:
        return None
    return world.images.why_not(upload_id, candidate=proves(launch.label))


def outdated(world: World, view: NodeView, launch: Launch) -> Condemn | None:
    """Say whether the image of a machine that nobody has yet makes it useless.

    It was revoked; or its request is served from another build by now.
    """
    if launch.image_build is None:
        return None
    why = world.images.spoiled(launch) or left_out(world, view)
    return None if why is None else Condemn(node=view.id, cause=why)


def not_handed_out(world: World, view: NodeView, request_id: RequestId) -> Condemn | None:
    """Judge a ready node that was made for one request, until that is fulfilled."""
    wanting = world.queue.views.get(request_id)
    if wanting is None or not wanting.waiting or wanting.busy or view.launch is None:
        return None
    return outdated(world, view, view.launch)
