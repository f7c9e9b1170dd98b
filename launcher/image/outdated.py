"""Machines whose image is not booted any more: those that nobody has yet go."""

from launcher.image.binding import left_out
from launcher.image.first_use import image_of, outlived
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.takehome.reopening import closed
from launcher.world import World
from remuda.images.references import upload_of
from remuda.model.ids import RequestId
from remuda.model.imageask import proves
from remuda.model.launch import Launch
from remuda.model.upload import UploadState


def unbootable(world: World, launch: Launch) -> str | None:
    """Return why what a planned machine is to boot is not booted any more, or None."""
    upload_id = upload_of(launch)
    if upload_id is None:
        return closed(world, launch)
    return world.images.why_not(upload_id, candidate=proves(launch.label))


def outdated(world: World, view: NodeView, launch: Launch) -> Condemn | None:
    """Say whether the image of a machine that nobody has yet makes it useless.

    It was revoked; or its request is served from another build by now.
    """
    why = outlived(world, view, launch)
    if why is None and launch.image_build is not None:
        why = world.images.spoiled(launch) or left_out(world, view)
    return None if why is None else Condemn(node=view.id, cause=why)


def unused(world: World, view: NodeView, launch: Launch) -> Condemn | None:
    """Judge a ready node of nobody: one of an image that goes, unused, goes with it.

    Else what is kept ready would keep for ever the image that nobody uses.
    """
    upload_id = None if launch.first_use is not None else upload_of(launch)
    stored = None if upload_id is None else world.images.uploads.get(upload_id)
    leaves = stored is not None and stored.value.state is UploadState.RETIRING
    if upload_id is None or not leaves or image_of(world, view.key) is None:
        return None
    return Condemn(node=view.id, cause=f"build {upload_id.build}, made on first use, goes")


def not_handed_out(world: World, view: NodeView, request_id: RequestId) -> Condemn | None:
    """Judge a ready node that was made for one request, until that is fulfilled."""
    wanting = world.queue.views.get(request_id)
    if wanting is None or not wanting.waiting or wanting.busy or view.launch is None:
        return None
    return outdated(world, view, view.launch)
