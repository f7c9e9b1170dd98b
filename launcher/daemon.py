"""One launcher process: its role in the frame of every process, and its wiring."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from launcher.actions import KINDS, Plan
from launcher.assembly import assemble
from launcher.brain import Brain
from launcher.capsule.hand_configured import stores_of
from launcher.capsule.hand_places import CapsuleStore
from launcher.lanes import LANE_SIZES
from launcher.policy import Policy
from launcher.policy_reader import PolicyReader
from launcher.provider.peers import Peers
from launcher.provider.presence import prepare
from launcher.reporting import Reporter
from launcher.world import World
from remuda.cloud.api import Cloud
from remuda.cloud.configured import cloud_settings, metered
from remuda.cloud.openstack import OpenStackCloud
from remuda.config.model import Config
from remuda.frame.checks import check_installation, check_keys, unready
from remuda.frame.process import Beginning, CannotRunError
from remuda.frame.workers import Workers
from remuda.metrics.factory import Instruments
from remuda.metrics.sink import Metrics
from remuda.model import tags
from remuda.model.ids import ProviderName
from remuda.runtime.clock import Clock, SystemClock
from remuda.ssh.prover import ParamikoProver
from remuda.web.pages import Readiness


class UnknownProviderError(CannotRunError):
    """The configuration has no such provider."""

    def __init__(self, provider: str, config: Config) -> None:
        known = ", ".join(sorted(config.providers))
        super().__init__(f"there is no provider {provider!r} in the configuration; it has {known}")


@dataclass(slots=True)
class LauncherRole:
    """What a launcher of one provider needs before it has ZooKeeper."""

    provider: str
    clock: Clock = field(default_factory=SystemClock)
    kind: str = "launcher"

    @property
    def name(self) -> str:
        """Which launcher this is, in logs."""
        return f"launcher/{self.provider}"

    @property
    def title(self) -> str:
        """Which launcher this is, for people."""
        return f"launcher of {self.provider}"

    def check(self, config: Config, instruments: Instruments) -> None:
        """Complain early of the provider's name, our private key, and clouds.yaml.

        Raises:
            UnknownProviderError: If the configuration does not name our provider.
            KeyFileError: If our private key cannot be used.
            CloudConfigError: If clouds.yaml cannot.
        """
        if self.provider not in config.providers:
            raise UnknownProviderError(self.provider, config)
        check_keys(config, [self.provider])
        self._cloud(config, instruments.metrics, "").close()

    def begin(self, beginning: Beginning) -> "LauncherWorker":
        """Wire a launcher together.

        Raises:
            StoreError: If ZooKeeper does not let us.
            InstallationError: If ZooKeeper seems to be another installation's.
        """
        config, ground, me = beginning.config, beginning.ground, beginning.me
        policies = PolicyReader(self.provider)
        policy = policies.read(config)
        installation = prepare(ground.store, self.provider, config.installation)
        world = World(policy=policy, peers=Peers(me=me.id, provider=self.provider))
        brain = assemble(
            world=world,
            ground=ground,
            cloud=self._cloud(config, ground.metrics, installation),
            installation=installation,
            mine=set(),
            me=me,
            workers=Workers(ground.inbox, KINDS, LANE_SIZES),
            prover=ParamikoProver(),
            stores=self._stores(config, installation),
        )
        ground.log.info("launcher.started", replica=me.id, url=me.url)
        return LauncherWorker(
            brain=brain,
            reporter=Reporter(world=world, metrics=ground.metrics),
            cloud=lambda config: self._cloud(config, ground.metrics, installation),
            policies=policies,
            stores=lambda config: self._stores(config, installation),
        )

    def _stores(self, config: Config, installation: str) -> tuple[CapsuleStore, ...]:
        owner = tags.Owner(installation=installation, provider=ProviderName(self.provider))
        return stores_of(config, owner, self.clock)

    def _cloud(self, config: Config, metrics: Metrics, installation: str) -> Cloud:
        owner = tags.Owner(installation=installation, provider=ProviderName(self.provider))
        cloud = OpenStackCloud(cloud_settings(config, owner), clock=self.clock)
        return metered(cloud, owner, metrics=metrics, clock=self.clock)


@dataclass(slots=True)
class LauncherWorker:
    """A launcher at work.

    Attributes:
        cloud: Makes the cloud that a configuration describes.
        policies: Reads the policy that follows from one.
        stores: And the places for whole capsules.
    """

    brain: Brain
    reporter: Reporter
    cloud: Callable[[Config], Cloud]
    policies: PolicyReader
    stores: Callable[[Config], tuple[CapsuleStore, ...]]

    def turn(self, *, wait_s_max: float) -> Plan:
        """Let the brain take one turn."""
        return self.brain.turn(wait_s_max=wait_s_max)

    def wait_s(self) -> float:
        """Return how long the next turn may wait for news."""
        return self.brain.loop.wait_s()

    def readiness(self) -> Readiness:
        """Return whether nodes can be made and handed out."""
        cloud = self.brain.world.cloud
        found = unready(self.brain.world.attendance)
        if found is None and cloud.trouble is not None:
            return Readiness(ok=True, reason=f"the cloud is out of service: {cloud.trouble}")
        return found or Readiness(ok=True, reason="at work")

    def report(self) -> None:
        """Renew gauges and the status page."""
        self.reporter.report(self.brain.ground.now())

    def status(self) -> Mapping[str, Any]:
        """Return what the status page shows."""
        return dict(self.reporter.snapshot)

    def reconfigure(self, config: Config) -> None:
        """Go on under another configuration.

        Raises:
            UnknownProviderError: If it does not name our provider.
            InstallationError: If it names another installation.
            KeyFileError: If it names a private key that cannot be used.
            CloudConfigError: If its clouds.yaml cannot be used.
        """
        world = self.brain.world
        provider, installation = world.policy.provider, world.installation
        if provider not in config.providers:
            raise UnknownProviderError(provider, config)
        check_installation(config, "launcher", installation)
        check_keys(config, [provider])
        cloud = self.cloud(config)
        reconfigure(self.brain, self.policies.read(config), cloud)
        self.brain.starter.stores.stores = self.stores(config)

    def preparation(self, config: Config) -> Callable[[], None] | None:
        """Return what reads the files that recipes of images made on first use copy."""
        tops = self.policies.copied(config)
        return partial(self.policies.hash_files, tops) if tops else None

    def note_config(self, error: str | None) -> None:
        """Show what is wrong with the configuration, and judge everything again."""
        self.brain.world.config_error = error
        self.brain.world.agenda.everything = True

    def stop(self) -> None:
        """Begin nothing more."""
        self.brain.starter.workers.stop()


def reconfigure(brain: Brain, policy: Policy, cloud: Cloud) -> None:
    """Let a launcher go on under another policy, with the cloud that goes with it."""
    brain.world.adopt_policy(policy)
    brain.starter.cloud.cloud = cloud
    cloud_view = brain.world.cloud
    cloud_view.survey_due_s = 0.0
    # What failed is to be tried anew: most likely it is what the new configuration corrects.
    for known in (cloud_view.recipes, cloud_view.refusals, cloud_view.doubted, cloud_view.breakers):
        known.clear()
    brain.membership.register()
