"""A builder at work, as the frame of every process sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builder.brain import Brain
from builder.place.clouds import Clouds, MakeCloud
from remuda.config import takehomes
from remuda.config.model import Config
from remuda.config.recipes import recipes
from remuda.frame.checks import check_installation, check_keys, unready
from remuda.web.pages import Readiness


def providers_of(config: Config) -> tuple[str, ...]:
    """Return the providers for which images are made, of recipes or of held machines."""
    found = recipes(config.images, config.image_defaults, config.providers)
    made = {name for one in found.values() for name in one.makings}
    return tuple(sorted(made | takehomes.providers_of(config)))


def check(config: Config, make_cloud: MakeCloud) -> None:
    """Complain early of keys and clouds of providers for which images are made.

    Raises:
        KeyFileError: If a private key cannot be used.
        CloudConfigError: If clouds.yaml cannot.
    """
    check_keys(config, providers_of(config))
    for name in providers_of(config):
        make_cloud(config, name).cloud.close()


@dataclass(slots=True)
class BuilderWorker:
    """A builder at work.

    Attributes:
        config: What it works by; hands ask for it.
    """

    brain: Brain
    clouds: Clouds
    installation: str
    config: "Current"

    def turn(self, *, wait_s_max: float) -> None:
        """Let the brain take one turn."""
        self.brain.turn(wait_s_max=wait_s_max)

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        return self.brain.loop.wait_s()

    def readiness(self) -> Readiness:
        """Return whether images can be made."""
        found = unready(self.brain.world.attendance)
        if found is None and not self.brain.world.configured.providers:
            return Readiness(ok=True, reason="at work; the configuration has no images")
        return found or Readiness(ok=True, reason="at work")

    def report(self) -> None:
        """Renew gauges and the status page."""
        self.brain.reporter.report(self.brain.ground.now())

    def status(self) -> Mapping[str, Any]:
        """Return what the status page shows."""
        return dict(self.brain.reporter.page)

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration; what has begun goes on as it began.

        Raises:
            InstallationError: If it names another installation.
            KeyFileError: If it names a private key that cannot be used.
            CloudConfigError: If its clouds.yaml cannot be used.
        """
        check_installation(config, "builder", self.installation)
        check(config, self.clouds.make)
        self.clouds.adopt(config, providers_of(config))
        self.config.value = config
        self.brain.periodic.again()

    def preparation(self, config: Config) -> None:
        """Say that nothing is to be read before: a hand of its own reads recipes."""

    def note_config(self, error: str | None) -> None:
        """Show what is wrong with the configuration, and judge everything again."""
        self.brain.world.config_error = error
        self.brain.world.dirty = True

    def stop(self) -> None:
        """Begin nothing more, and tell the hands to end; the end of the session frees the rest."""
        self.brain.starter.stop()


@dataclass(slots=True)
class Current:
    """The configuration of now; replaced as a whole, so that other threads may read it."""

    value: Config

    def __call__(self) -> Config:
        """Return it."""
        return self.value
