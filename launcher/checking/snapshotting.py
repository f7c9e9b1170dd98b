"""An image of a machine, made and deleted again, to see that both are possible."""

from typing import Final

from launcher.checking.booting import PERIOD_S_MAX, STOPPED, Timed
from launcher.checking.means import Means
from remuda.cloud.api import CloudError, TryLaterError
from remuda.cloud.inspection import DEAD_IMAGES, SeenImage
from remuda.model.ids import ServerId

#: Large disks take their time; whoever does not want to wait presses Ctrl-C.
SNAPSHOT_S_MAX: Final = 900.0
DELETE_S_MAX: Final = 120.0
#: So long after the call an image must have appeared.
APPEAR_S_MAX: Final = 60.0


def try_snapshot(means: Means, server: ServerId, name: str) -> Timed:
    """Make an image of a server, wait until it is active, and delete it, whatever happens."""
    begun_s = means.clock.monotonic_s()
    why = ""
    try:
        means.inspector.snapshot(server, name)
        why = _outcome(means, name)
    except CloudError as exc:
        why = str(exc)
    finally:
        left = _delete(means, name)
    seconds = means.clock.monotonic_s() - begun_s
    return Timed(
        kind="snapshot", name="snapshot", seconds=seconds, ok=not (why or left), why=why or left
    )


def _outcome(means: Means, name: str) -> str:
    """Wait for the image; return why it did not become active, or an empty string."""
    begun_s = means.clock.monotonic_s()
    seen: SeenImage | None = None
    while True:
        found = _named(means, name)
        if found is not None:
            before, seen = seen, next(iter(found), None)
            if seen is None and before is not None:
                return "the image vanished: the snapshot failed in the cloud"
        if seen is not None and seen.active:
            return ""
        if seen is not None and seen.status in DEAD_IMAGES:
            return f"the image is {seen.status}"
        waited_s = means.clock.monotonic_s() - begun_s
        if means.stopped():
            return STOPPED
        if waited_s > SNAPSHOT_S_MAX or (seen is None and waited_s > APPEAR_S_MAX):
            return f"no active image after {waited_s:.0f} s"
        means.pause(min(PERIOD_S_MAX, means.policy.config.list_period))


def _named(means: Means, name: str) -> tuple[SeenImage, ...] | None:
    """Return the images of that name, or None if the cloud did not answer this time."""
    try:
        return means.inspector.images_named(name)
    except TryLaterError:
        return None


def _delete(means: Means, name: str) -> str:
    """Delete the image until it is gone; return why not, or an empty string."""
    begun_s = means.clock.monotonic_s()
    why = ""
    while means.clock.monotonic_s() - begun_s < DELETE_S_MAX:
        try:
            found = means.inspector.images_named(name)
            if not found:
                return ""
            for each in found:
                means.inspector.delete_image(each.id)
            why = "the cloud still lists it"
        except CloudError as exc:
            why = str(exc)
        means.pause(min(PERIOD_S_MAX, means.policy.config.list_period))
    return f"the image {name} could not be deleted: {why}"
