"""What marks a take-home image in a cloud, and how it is found there."""

from remuda.cloud.image_store import ImageStatus, ImageStore, StoredImage
from remuda.model import tags
from remuda.model.ids import NodeId
from remuda.model.tags import ImageTags, Owner
from remuda.model.takehome import TakeHome


def tags_of(one: TakeHome, owner: Owner) -> ImageTags:
    """Return the marks of the image; a name that no other attempt has is in its record."""
    name = one.cloud_name or ""
    return ImageTags(owner=owner, image=tags.TAKE_HOME, build=one.node, name=name)


def node_of(image: StoredImage, installation: str) -> NodeId | None:
    """Return the node that an image was made of; None: it is no take-home image of ours.

    What carries our tags under another name was made of a machine that booted one of ours.
    """
    found = tags.read_image(image.name, image.properties)
    if found is None or found.owner.installation != installation or found.image != tags.TAKE_HOME:
        return None
    return NodeId(found.build)


def find(images: ImageStore, one: TakeHome, installation: str) -> StoredImage | None:
    """Return the image that a record tells of, by its name and marks; None: it is not there.

    Raises:
        CloudError: The cloud cannot be asked.
    """
    for image in images.list_images():
        named = image.name == one.cloud_name and node_of(image, installation) == one.node
        if named and image.status not in {ImageStatus.DELETING, ImageStatus.DEAD}:
            return image
    return None
