"""Clouds as those see them who have accounts of their own there, as developers do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remuda.cloud.account import AccountSettings
from remuda.cloud.api import ServerSpec
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.cloud.sizes import FlavorWanted
from remuda.model import tags
from remuda.model.ids import ProviderName, ServerId
from remuda.runtime.clock import SystemClock


@contextmanager
def account(clouds_file: Path, cloud: str) -> Iterator[OpenStackCloud]:
    """Give the account that a clouds.yaml calls *cloud*, and close it."""
    found = AccountSettings(cloud=cloud, region=None, clouds_file=str(clouds_file))
    owner = tags.Owner(installation="x", provider=ProviderName("alpha"))
    settings = CloudSettings(account=found, owner=owner, rate_per_s=100.0)
    made = OpenStackCloud(settings, clock=SystemClock())
    try:
        yield made
    finally:
        made.close()


def boots_in(cloud: OpenStackCloud, image: str) -> ServerId:
    """Boot an image as a developer does, by its id; return the server."""
    seen = cloud.image_store().get_image(image)
    flavor = cloud.find_flavor(FlavorWanted(name="m1.small"))
    spec = ServerSpec(name="failed", image=seen, flavor=flavor, tags={}, networks=("public",))
    return cloud.create_server(spec)
