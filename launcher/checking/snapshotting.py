"""An image of a machine, made and deleted again, to see that both are possible."""

from typing import Final

from launcher.checking.means import Means
from launcher.checking.timed import PERIOD_S_MAX, STOPPED, Timed
from remuda.cloud.api import CloudError, GoneError, TryLaterError
from remuda.cloud.image_store import ImageStatus, StoredImage
from remuda.model import tags
from remuda.model.ids import ServerId

#: Large disks take their time; whoever does not want to wait presses Ctrl-C.
SNAPSHOT_S_MAX: Final = 900.0
DELETE_S_MAX: Final = 120.0
#: No such image becomes active any more; all else may.
_FAILED: Final = frozenset({ImageStatus.DEACTIVATED, ImageStatus.DEAD, ImageStatus.DELETING})


def try_snapshot(means: Means, server: ServerId, name: str) -> Timed:
    """Make an image of a server, wait until it is active, and delete it, whatever happens."""
    begun_s = means.clock.monotonic_s()
    ours = tags.ImageTags(owner=means.owner, image="check", build=means.run, name=name)
    why = ""
    try:
        image_id = means.images.snapshot(server, name, tags.make_image(ours))
        why = _outcome(means, image_id)
    except CloudError as exc:
        why = str(exc)
    finally:
        left = _delete(means, ours)
    seconds = means.clock.monotonic_s() - begun_s
    return Timed(
        kind="snapshot", name="snapshot", seconds=seconds, ok=not (why or left), why=why or left
    )


def _outcome(means: Means, image_id: str) -> str:
    """Wait for the image; return why it did not become active, or an empty string."""
    begun_s = means.clock.monotonic_s()
    while True:
        try:
            seen = _seen(means, image_id)
        except GoneError:
            return "the image vanished: the snapshot failed in the cloud"
        if seen is not None and seen.status is ImageStatus.ACTIVE:
            return ""
        if seen is not None and seen.status in _FAILED:
            return f"the image is {seen.status}"
        waited_s = means.clock.monotonic_s() - begun_s
        if means.stopped():
            return STOPPED
        if waited_s > SNAPSHOT_S_MAX:
            return f"no active image after {waited_s:.0f} s"
        means.pause(min(PERIOD_S_MAX, means.policy.config.list_period))


def _seen(means: Means, image_id: str) -> StoredImage | None:
    """Return the image, or None if the cloud did not answer this time."""
    try:
        return means.images.get_image(image_id)
    except TryLaterError:
        return None


def _delete(means: Means, ours: tags.ImageTags) -> str:
    """Delete the image until it is gone; return why not, or an empty string."""
    begun_s = means.clock.monotonic_s()
    why = ""
    while means.clock.monotonic_s() - begun_s < DELETE_S_MAX:
        try:
            listed = means.images.list_images()
            found = [one for one in listed if tags.read_image(one.name, one.properties) == ours]
            if not found:
                return ""
            for each in found:
                means.images.delete_image(each.id)
            why = "the cloud still lists it"
        except CloudError as exc:
            why = str(exc)
        means.pause(min(PERIOD_S_MAX, means.policy.config.list_period))
    return f"the image {ours.name} could not be deleted: {why}"
