"""What ``remuda cloud check --boot`` made and, killed, could not remove."""

from typing import Final

from remuda.cloud.api import Server
from remuda.cloud.image_store import StoredImage
from remuda.model import tags
from remuda.model.ids import ProviderName

#: A trial ends with launch-timeout and its removal; one that is older by this is forgotten.
FORGOTTEN_S: Final = 3600.0


def is_forgotten(
    server: Server, provider: ProviderName, *, launch_timeout_s: float, now_s: float
) -> bool:
    """Whether a server of a listing was made by a check of *provider* that surely has ended.

    Args:
        server: Any server of the account.
        provider: Whose checks.
        launch_timeout_s: Of the provider.
        now_s: Wall clock; the hour is also there for the skew of the cloud's.
    """
    if server.tags.get(tags.INSTALLATION) != tags.TRIALS:
        return False  # by far the most: spared the rest
    if tags.owned_node(server.tags, tags.trial_owner(provider)) is None:
        return False
    return server.created_s + launch_timeout_s + FORGOTTEN_S < now_s


def is_forgotten_image(
    image: StoredImage, provider: ProviderName, *, launch_timeout_s: float, now_s: float
) -> bool:
    """Whether an image was made by such a check; arguments as of :func:`is_forgotten`."""
    found = tags.read_image(image.name, image.properties)
    if found is None or found.owner != tags.trial_owner(provider):
        return False
    return image.created_s + launch_timeout_s + FORGOTTEN_S < now_s
