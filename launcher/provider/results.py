"""What becomes of what is done for the provider as a whole; no I/O."""

from dataclasses import dataclass
from typing import Final

from launcher.actions import Action
from launcher.provider.actions import Publish, Rescue, Survey, Tidy
from launcher.provider.events import Rescued, Surveyed, Tidied
from launcher.provider.learning import (
    learn_recipes,
)
from launcher.retries import CRASH_RETRY_S, PROVE_AGAIN_S
from launcher.world import World
from remuda.cloud.api import (
    CloudError,
    UnauthorizedError,
)
from remuda.frame.work import Answers, ByKind, Written
from remuda.metrics.sink import Metrics
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.store.api import (
    StoreError,
)

#: Images, flavors and quota are looked up this often; sooner while something cannot be found.
SURVEY_PERIOD_S: Final = 300.0
SURVEY_SOON_S: Final = 30.0
SURVEY_FAILED_S: Final = 10.0
#: What dead processes left is looked for this often, or as often as ports are to be.
TIDY_PERIOD_S: Final = 600.0


@dataclass(slots=True)
class ProviderResults:
    """Takes in what becomes of what is done for the provider as a whole."""

    world: World
    log: Log
    metrics: Metrics

    def events(self) -> ByKind:
        """Return what takes in each kind of event."""
        return {
            Surveyed: self._surveyed,
            Rescued: self._rescued,
            Tidied: self._tidied,
        }

    def answers(self) -> Answers:
        """Return what takes in the answer to the transaction of each kind of action."""
        return {
            Publish: self._published,
        }

    def crashes(self) -> ByKind:
        """Return what each kind of action that a bug of ours interrupted held, to be freed."""
        return {
            Survey: self._survey_crashed,
            Tidy: self._round_crashed,
            Rescue: self._rescue_crashed,
        }

    def _surveyed(self, event: Surveyed, now: Now) -> None:
        cloud = self.world.cloud
        if event.policy is not None and event.policy is not self.world.policy:
            # The configuration has changed meanwhile: these are answers to old questions.
            cloud.survey_due_s = now.mono_s
            return
        if event.error is not None:
            cloud.survey_due_s = cloud.doubted_due_s = now.mono_s + SURVEY_FAILED_S
            if not cloud.recipes:
                # What was looked up before stays usable; without any nothing can be made.
                cloud.survey_failed = True
                note_trouble(self.world, self.log, event.error)
            return
        cloud.survey_failed = False
        for key, why in event.broken.items():
            if cloud.broken.get(key) != why:
                self.log.warning("label.broken", pool=key[0], label=key[1], why=why)
        learn_recipes(self.world, event)
        again_s = now.mono_s + (SURVEY_SOON_S if cloud.broken else SURVEY_PERIOD_S)
        whole = event.only is None
        cloud.survey_due_s = again_s if whole else min(cloud.survey_due_s, again_s)
        if whole:
            self._quota_told(event, now)
        self.world.agenda.supply = True

    def _quota_told(self, event: Surveyed, now: Now) -> None:
        """Take in the quota; while it is not known, what was told before is held to."""
        cloud = self.world.cloud
        if event.quota_why is None:
            cloud.quota, cloud.quota_ours = event.quota, event.ours
            cloud.quota_seen_s = round(now.wall_s)
        elif event.quota_why != cloud.quota_why:
            self.log.warning("cloud.no-quota", why=event.quota_why)
        cloud.quota_why = event.quota_why

    def _rescued(self, event: Rescued, now: Now) -> None:
        if event.again:
            self.world.rescues.add(event.provider)
            self.world.alarms.set("cloud", "rescue", now.mono_s + PROVE_AGAIN_S)

    def _tidied(self, event: Tidied, now: Now) -> None:
        cloud, provider = self.world.cloud, self.world.policy.provider
        interval_s = self.world.policy.config.port_cleanup_interval
        cloud.tidy_due_s = now.mono_s + min(TIDY_PERIOD_S, interval_s or TIDY_PERIOD_S)
        cloud.leftovers = event.seen
        self.world.rescues |= {one for one in event.claimants if one != provider}
        if event.ports:
            self.metrics.count_leaked(provider, "ports", event.ports)
        if event.floating_ips:
            self.metrics.count_leaked(provider, "floatingips", event.floating_ips)
        if event.removed or event.freed or event.ports or event.floating_ips:
            self.log.info(
                "launcher.tidied",
                records=event.removed,
                requests=event.freed,
                ports=event.ports,
                floating_ips=event.floating_ips,
            )

    def _published(self, action: Publish, event: Written[Action], _now: Now) -> None:
        if not isinstance(event.result, StoreError):
            self.world.published = action.status
            self.world.outlined = action.outline

    def _survey_crashed(self, _action: Survey, now: Now) -> None:
        cloud = self.world.cloud
        cloud.survey_due_s = cloud.doubted_due_s = now.mono_s + CRASH_RETRY_S

    def _round_crashed(self, _action: Tidy, now: Now) -> None:
        self.world.cloud.tidy_due_s = now.mono_s + TIDY_PERIOD_S

    def _rescue_crashed(self, action: Rescue, now: Now) -> None:
        self.world.rescues.add(action.provider)
        self.world.alarms.set("cloud", "rescue", now.mono_s + CRASH_RETRY_S)


def note_trouble(world: World, log: Log, error: CloudError) -> None:
    """Say once that the cloud is in trouble, and why; judge again what we ask of it."""
    why = (
        f"our credentials are not accepted ({error})"
        if isinstance(error, UnauthorizedError)
        else str(error)
    )
    if world.cloud.trouble is None:
        log.warning("cloud.trouble", why=why)
    world.cloud.trouble = why
    world.agenda.supply = True


def note_well(world: World, log: Log) -> None:
    """Say that the cloud is well again, if it was in trouble."""
    if world.cloud.trouble is not None and not world.cloud.survey_failed:
        log.info("cloud.recovered")
        world.cloud.trouble = None
        world.agenda.supply = True
