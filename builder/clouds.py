"""The clouds of the providers that recipes name: made anew with each configuration."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from remuda.cloud.account import AccountSettings
from remuda.cloud.api import Cloud
from remuda.cloud.image_store import ImageStore
from remuda.cloud.metered import MeteredCloud
from remuda.cloud.openstack import CloudSettings, OpenStackCloud
from remuda.config.model import Config
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCloud:
    """One provider's cloud: its servers and its images, over the same connections and rate."""

    cloud: Cloud
    images: ImageStore
    owner: tags.Owner


#: Makes the cloud of a provider.
MakeCloud = Callable[[Config, str], ProviderCloud]


class NoSuchProviderError(LookupError):
    """The configuration has lost a provider that a hand was to work in."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} is not in the configuration any more")


@dataclass(slots=True)
class Clouds:
    """The clouds of the present configuration. Thread-safe.

    Whoever has got one goes on with it, whatever is reloaded meanwhile.
    """

    make: MakeCloud
    _clouds: Mapping[str, ProviderCloud] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def adopt(self, config: Config, providers: tuple[str, ...]) -> None:
        """Have the clouds of these providers; hands may still be at work in those of before.

        Raises:
            CloudConfigError: If clouds.yaml cannot be used; then nothing has changed.
        """
        made = {name: self.make(config, name) for name in providers}
        with self._lock:
            self._clouds = made

    def known(self) -> Mapping[str, ProviderCloud]:
        """Return all of them, by provider."""
        with self._lock:
            return self._clouds

    def of(self, provider: str) -> ProviderCloud:
        """Return a provider's cloud.

        Raises:
            NoSuchProviderError: If there is none any more.
        """
        found = self.known().get(provider)
        if found is None:
            raise NoSuchProviderError(provider)
        return found


def openstack(
    config: Config, provider: str, *, installation: str, metrics: Metrics, clock: Clock
) -> ProviderCloud:
    """Return the cloud of a provider as *config* has it; it makes no call.

    Raises:
        CloudConfigError: If clouds.yaml cannot be used.
    """
    one = config.providers[provider]
    account = AccountSettings(
        cloud=one.cloud,
        region=one.region,
        clouds_file=config.clouds_file,
        api_timeout_s=one.api_timeout,
    )
    owner = tags.Owner(installation=installation, provider=ProviderName(provider))
    settings = CloudSettings(account=account, owner=owner, rate_per_s=one.rate)

    def observe(operation: str, outcome: str, seconds: float) -> None:
        metrics.observe_cloud_call(provider, operation, outcome, seconds)

    cloud = OpenStackCloud(settings, clock=clock)
    return ProviderCloud(
        cloud=MeteredCloud(cloud, observe, clock=clock), images=cloud.image_store(), owner=owner
    )
