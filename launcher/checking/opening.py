"""What every command about a provider's cloud begins with: its configuration, and a connection."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from remuda.cli.errors import MistakeError
from remuda.cloud.api import CloudConfigError
from remuda.cloud.configured import cloud_settings
from remuda.cloud.openstack import OpenStackCloud
from remuda.config import loader
from remuda.config.loader import Reading
from remuda.config.model import Config
from remuda.config.name_guesses import meant_name
from remuda.config.problems import ConfigInvalidError
from remuda.model.tags import Owner
from remuda.runtime.clock import Clock

#: Commands make some thirty calls; a provider that is configured slower than this would only
#: make us measure our own rate limit.
RATE_MIN: Final = 10.0


def read_config(path: Path | None, provider: str) -> Reading:
    """Read the configuration.

    Raises:
        MistakeError: If nobody said where it is, or it has no such provider.
        ConfigInvalidError: With all its problems.
    """
    if path is None:
        raise MistakeError("which configuration? Give --config FILE, or set REMUDA_CONFIG")
    reading = loader.read(path, provider=provider)
    if reading.config is None:
        raise ConfigInvalidError(reading.problems, reading.warnings)
    known = sorted(reading.config.providers)
    if provider not in known:
        meant = meant_name(provider, known)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(known)}"
        raise MistakeError(f"there is no provider {provider!r} in {path}; {hint}")
    return reading


@contextlib.contextmanager
def open_cloud(config: Config, owner: Owner, clock: Clock) -> Iterator[OpenStackCloud]:
    """Connect to the cloud of the owner's provider, as its launcher does.

    Raises:
        MistakeError: If clouds.yaml cannot be used.
    """
    settings = cloud_settings(config, owner, rate_min=RATE_MIN)
    try:
        adapter = OpenStackCloud(settings, clock=clock)
    except CloudConfigError as exc:
        raise MistakeError(str(exc)) from exc
    with contextlib.closing(adapter):
        yield adapter
