"""The clouds of the providers that recipes name, by the present configuration.

One whose settings have not changed is kept over a reload, with its token and its connections. Any
other is closed when no hand can be at work in it any more.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from remuda.cloud.account import load_region
from remuda.cloud.api import Cloud, CloudConfigError
from remuda.cloud.configured import cloud_settings, metered
from remuda.cloud.image_store import ImageStore
from remuda.cloud.openstack import OpenStackCloud
from remuda.config.model import Config
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCloud:
    """One provider's cloud: its servers and its images, over the same connections and rate.

    Attributes:
        made_of: Equal for clouds that are made in the same way; None: nobody can tell.
    """

    cloud: Cloud
    images: ImageStore
    owner: tags.Owner
    made_of: object = field(default=None, repr=False)


#: Makes the cloud of a provider.
MakeCloud = Callable[[Config, str], ProviderCloud]


class NoSuchProviderError(LookupError):
    """The configuration has lost a provider that a hand was to work in."""

    def __init__(self, provider: str) -> None:
        super().__init__(f"{provider} is not in the configuration any more")


@dataclass(slots=True)
class Clouds:
    """The clouds of the present configuration. Thread-safe.

    Whoever has got one within :meth:`used` goes on with it, whatever is reloaded meanwhile.
    """

    make: MakeCloud
    _clouds: Mapping[str, ProviderCloud] = field(default_factory=dict)
    #: Counts reloads; *_hands*: those at work, by the reload after which they began.
    _reload: int = 0
    _hands: Counter[int] = field(default_factory=Counter)
    #: With the reload that has replaced them.
    _replaced: list[tuple[int, ProviderCloud]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def adopt(self, config: Config, providers: tuple[str, ...]) -> None:
        """Have the clouds of these providers; hands may still be at work in those of before.

        Raises:
            CloudConfigError: If clouds.yaml cannot be used; then nothing has changed.
        """
        made: dict[str, ProviderCloud] = {}
        try:
            for name in providers:
                made[name] = self.make(config, name)
        except CloudConfigError:
            _close(made.values())
            raise
        with self._lock:
            before, spare = self._clouds, []
            for name, one in made.items():
                old = before.get(name)
                if old is not None and one.made_of is not None and one.made_of == old.made_of:
                    made[name] = old
                    spare += [one] if one.cloud is not old.cloud else []
            kept = {id(one.cloud) for one in made.values()}
            self._reload += 1
            gone = [one for one in before.values() if id(one.cloud) not in kept]
            self._replaced += [(self._reload, one) for one in gone]
            self._clouds = made
            unused = self._take_unused()
        _close([*spare, *unused])

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep the clouds of now open, and those that come, until the block is left."""
        with self._lock:
            began = self._reload
            self._hands[began] += 1
        try:
            yield
        finally:
            with self._lock:
                self._hands[began] -= 1
                unused = self._take_unused()
            _close(unused)

    def _take_unused(self) -> list[ProviderCloud]:
        """Take what was replaced before any of the hands at work has begun."""
        oldest = min((began for began, count in self._hands.items() if count), default=None)
        unused = [one for at, one in self._replaced if oldest is None or at <= oldest]
        self._replaced = [
            (at, one) for at, one in self._replaced if oldest is not None and at > oldest
        ]
        self._hands = +self._hands
        return unused

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


def _close(some: Iterable[ProviderCloud]) -> None:
    for one in some:
        one.cloud.close()


def openstack(
    config: Config, provider: str, *, installation: str, metrics: Metrics, clock: Clock
) -> ProviderCloud:
    """Return the cloud of a provider as *config* has it; it makes no call.

    Raises:
        CloudConfigError: If clouds.yaml cannot be used.
    """
    owner = tags.Owner(installation=installation, provider=ProviderName(provider))
    settings = cloud_settings(config, owner)
    made_of = settings, dict(load_region(settings.account).config)
    cloud = OpenStackCloud(settings, clock=clock)
    return ProviderCloud(
        cloud=metered(cloud, owner, metrics=metrics, clock=clock),
        images=cloud.image_store(),
        owner=owner,
        made_of=made_of,
    )
