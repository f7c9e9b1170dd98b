"""What of ours no record knows, and may be deleted in its cloud."""

from builder.actions import Plan
from builder.place.actions import SweepImage
from builder.place.view import ListedImage
from builder.view import ASKED_S_MAX, WorldView
from remuda.model.build import BuildState
from remuda.model.image import UploadId
from remuda.model.upload import Method, UploadState


def step(view: WorldView, plan: Plan) -> None:
    """Delete what carries our tags, is in two listings, and is not what a record expects."""
    if view.library.unreadable:
        plan.wait("images without a record", f"{view.library.unreadable[0]} cannot be read")
        return
    for place, listing in sorted(view.listings.items()):
        for image_id, one in sorted(listing.images.items()):
            if image_id not in listing.images_before or not view.mine(f"{place} {image_id}"):
                continue
            if f"{place} {image_id}" in view.busy:
                continue
            if not expected(view, place, one, listed_s=listing.before_s):
                plan.do(SweepImage(place=place, cloud_image=image_id))


def expected(view: WorldView, place: str, image: ListedImage, *, listed_s: float) -> bool:
    """Whether a record knows an image, or may not yet: who works on it is to decide.

    Args:
        view: Read anew, before anything is deleted.
        place: Where the image is.
        image: Which.
        listed_s: When the first of the two listings that show it was begun.
    """
    if view.library.unreadable:
        return True  # what cannot be read may expect anything
    return _stored_in(view, place, image, listed_s) or _being_made(view, place, image, listed_s)


def _stored_in(view: WorldView, place: str, image: ListedImage, listed_s: float) -> bool:
    upload = view.upload(UploadId(image.build, place))
    if upload is not None:
        if upload.cloud_image == image.id or upload.state is UploadState.MAKING:
            return True
        if _asked_s(view, upload.asked_by_s, upload.since_s) >= listed_s:
            return True
    # Shared images are shown where they are members, too.
    return any(
        other.cloud_image == image.id and other.method is not Method.SHARE
        for other in view.uploads(image.build)
    )


def _being_made(view: WorldView, place: str, image: ListedImage, listed_s: float) -> bool:
    build = view.build(image.build)
    if build is None or build.place != place:
        return False
    if build.state is BuildState.SNAPSHOTTING and image.name == build.cloud_name:
        return True
    return _asked_s(view, build.asked_by_s, build.since_s) >= listed_s


def _asked_s(view: WorldView, asked_by_s: float, since_s: float) -> float:
    """Return until when a call for an image may have been on its way, as a record says."""
    return max(view.counted(asked_by_s, ASKED_S_MAX), view.counted(since_s, 0.0))
