"""What every deletion of an image in a cloud asks first: whose it is, and where.

Nothing that was known before is believed: an image goes only if the cloud says by the image's own
tags that it is that build, of this installation.
"""

from builder.place.sites import Site, build_of, call_fence
from remuda.cloud.api import GoneError
from remuda.cloud.image_store import ImageStatus, StoredImage
from remuda.model.image import BuildId
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, Stored


class SparedError(Exception):
    """Nothing is to be done; the message says why."""


def find_image(here: Site, place: str, image_id: str) -> StoredImage | None:
    """Return an image as the cloud has it; None: it is gone, or going.

    Raises:
        SparedError: The provider's images lie in another place now.
        CloudError: The cloud cannot be asked.
    """
    if why := here.elsewhere(place):
        raise SparedError(why)
    try:
        image = here.images.get_image(image_id)
    except GoneError:
        return None
    return None if image.status is ImageStatus.DELETING else image


def check_marks(image: StoredImage, build_id: BuildId, installation: str) -> None:
    """Do nothing with an image that its tags name as that of a build.

    Raises:
        SparedError: They do not.
    """
    found = build_of(image, installation)
    if found != build_id:
        raise SparedError(f"the tags of image {image.id} name {found or 'no build of ours'}")


def check_installation(whose: Stored[bytes] | None, installation: str) -> None:
    """Do nothing while ZooKeeper is that of our installation; *whose* is what it says.

    Raises:
        SparedError: It is another one's.
    """
    if whose is None or whose.value != installation.encode():
        raise SparedError("the id of the installation has changed")


def read_installation(store: Store) -> Stored[bytes] | None:
    """Return what ZooKeeper says this moment of whose it is."""
    return store.read_fresh([paths.INSTALLATION])[0]


def delete(here: Site, image: StoredImage, store: Store, clock: Clock) -> None:
    """Delete an image of the provider's own project.

    Raises:
        SparedError: It is another project's.
        CloudError: The cloud does not.
    """
    if image.owner != here.images.project():
        raise SparedError(f"image {image.id} belongs to another project")
    here.images.delete_image(image.id, fence=call_fence(store, clock))
