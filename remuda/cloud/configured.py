"""The cloud of a provider, as a configuration describes it."""

from remuda.cloud.account import AccountSettings
from remuda.cloud.metered import MeteredCloud
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config.model import Config
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.runtime.clock import Clock


def cloud_settings(config: Config, owner: tags.Owner, *, rate_min: float = 0.0) -> CloudSettings:
    """Return how the owner's provider is connected to, as often as *rate_min* a second at least."""
    one = config.providers[owner.provider]
    account = AccountSettings(
        cloud=one.cloud,
        region=one.region,
        clouds_file=config.clouds_file,
        api_timeout_s=one.api_timeout,
    )
    return CloudSettings(account=account, owner=owner, rate_per_s=max(one.rate, rate_min))


def metered(
    cloud: OpenStackCloud, owner: tags.Owner, *, metrics: Metrics, clock: Clock
) -> MeteredCloud:
    """Return *cloud*, whose calls are measured as those of the owner's provider."""

    def observe(operation: str, outcome: str, seconds: float) -> None:
        metrics.observe_cloud_call(owner.provider, operation, outcome, seconds)

    return MeteredCloud(cloud, observe, clock=clock)
