"""What a builder tells of itself: metrics, status page, alarms, and its ephemeral znode."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from builder.alarm.actions import RaiseAlarm
from builder.lanes import LANE_SIZES
from builder.records import Records
from builder.world import ELSEWHERE, World
from remuda.metrics.sink import Metrics
from remuda.model.build import UNDER_WAY, Build, BuildState
from remuda.model.builderstatus import BuilderStatus, encode_builder
from remuda.model.component import Replica
from remuda.model.image import BuildId
from remuda.model.jobreport import word_of
from remuda.model.takehome import TakeHome, TakeHomeState
from remuda.model.tally import Sample
from remuda.runtime.log import Log
from remuda.runtime.now import Now

#: Gauges and the page are renewed at most this often, and only when something happened.
REPORT_PERIOD_S: Final = 1.0
#: The words in ZooKeeper change at most this often.
PUBLISH_PERIOD_S: Final = 2.0
#: What metrics call the states in which a take-home image has come to an end.
_TAKEN: Final[Mapping[TakeHomeState, str]] = {
    TakeHomeState.WHOLE: "whole",
    TakeHomeState.FAILED: "failed",
}


@dataclass(slots=True)
class Reporter:
    """Tells what is to be seen.

    Attributes:
        replica: Who we are.
        page: What ``/status`` shows; replaced as a whole, so that other threads may read it.
        alarms: What is to be seen to now, by image.
    """

    world: World
    replica: Replica
    metrics: Metrics
    log: Log
    page: dict[str, Any] = field(default_factory=dict)
    alarms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _published: bytes | None = None
    _publish_due_s: float = 0.0
    _due_s: float = 0.0

    def built(self, before: Build, after: Build) -> None:
        """Count a build that we have just written, if it has come to an end or begins anew."""
        result = _result(before, after)
        if result is None:
            return
        begun_s, seconds = after.started_s, None
        if begun_s is not None and after.provider is not None:
            seconds = after.since_s - begun_s
        provider = after.provider or ""
        self.metrics.observe_image_build(after.id.image, provider, result, seconds)
        why = None if after.mishap is None else after.mishap.said
        self.log.info("build.ended", build=str(after.id), result=result, why=why)

    def taken_home(self, before: TakeHome, after: TakeHome) -> None:
        """Count a take-home image that we have just written, if it has come to an end."""
        if before.state is after.state or after.state not in _TAKEN:
            return
        result = _TAKEN[after.state]
        if after.state is TakeHomeState.WHOLE and after.trouble is not None:
            result = "unshared"
        self.metrics.count_take_home(after.provider, result)
        why = after.failure or after.trouble
        self.log.info("takehome.result", node=after.node, result=result, why=why)

    def judged(self) -> None:
        """Take in the alarms of the last plan: each text is logged once, and when it is over."""
        found: dict[str, list[str]] = {}
        for action in self.world.plan.actions:
            if isinstance(action, RaiseAlarm):
                found.setdefault(action.image, []).append(action.text)
        for image, why in self.world.configured.unusable.items():
            found.setdefault(image, []).append(f"its recipe cannot be used: {why}")
        now = {image: tuple(texts) for image, texts in found.items()}
        before, self.alarms = self.alarms, now
        for image, texts in now.items():
            for text in set(texts) - set(before.get(image, ())):
                self.log.warning("image.alarm", image=image, why=text)
        for image, texts in before.items():
            for text in set(texts) - set(now.get(image, ())):
                self.log.info("image.alarm-over", image=image, why=text)

    def words(self, now_s: float) -> bytes | None:
        """Return what is to be written into our ephemeral now, or None; *now_s* is monotonic."""
        if now_s < self._publish_due_s:
            return None
        data = self._words()
        if data == self._published:
            return None
        self._publish_due_s = now_s + PUBLISH_PERIOD_S
        return data

    def words_due_s(self) -> float:
        """Return when there is something to write though nothing comes."""
        return float("inf") if self._words() == self._published else self._publish_due_s

    def published(self, data: bytes | None) -> None:
        """Note what our ephemeral says; None: nobody knows."""
        self._published = data

    def _words(self) -> bytes:
        recipes = self.world.configured.recipes
        status = BuilderStatus(
            replica=self.replica,
            waits=self.waits(),
            alarms=self.alarms,
            providers={image: tuple(sorted(one.makings)) for image, one in recipes.items()},
        )
        return encode_builder(status)

    def waits(self) -> Mapping[str, str]:
        """Return why what is ours to judge waits, by name."""
        waits = self.world.plan.waits.items()
        mine = {name: why for name, why in waits if not why.startswith(ELSEWHERE)}
        return {**self.world.outlook(), **mine}

    def report(self, now: Now) -> None:
        """Renew gauges and the page if the last time is long enough ago."""
        if now.mono_s < self._due_s:
            return
        self._due_s = now.mono_s + REPORT_PERIOD_S
        self._gauges(now.wall_s)
        world, records = self.world, self.world.records
        self.metrics.set_config_rejected(rejected=world.config_error is not None)
        self.page = {
            "replica": world.me,
            "builders": sorted({*world.builders, world.me}),
            "awake": world.attendance.awake,
            "config_error": world.config_error,
            "images": sorted(world.configured.recipes),
            "under_way": {
                str(one): {
                    "state": str(stored.value.state),
                    "owner": stored.value.owner,
                    "provider": stored.value.provider,
                }
                for one, stored in sorted(records.builds.items())
                if stored.value.state in UNDER_WAY
            },
            "busy": sorted(str(one) for one in world.busy),
            "waits": dict(sorted(self.waits().items())),
            "alarms": {image: list(texts) for image, texts in sorted(self.alarms.items())},
            "unreadable": sorted(records.unreadable),
        }

    def _gauges(self, now_s: float) -> None:
        world, records = self.world, self.world.records
        ages_s: dict[tuple[str, ...], float] = {}
        generations: dict[tuple[str, ...], float] = {}
        for (image, provider), stored in records.pointers.items():
            generations[image, provider] = stored.value.generation
            build = records.builds.get(BuildId(image, stored.value.chosen(now_s)))
            if build is not None:
                # Negative if its date is ahead: nobody knows its age, and 0 would say: new.
                ages_s[image, provider] = now_s - build.value.fresh_s
        uploads: Counter[tuple[str, ...]] = Counter(
            (one.value.id.build.image, str(one.value.state)) for one in records.uploads.values()
        )
        alarms = dict.fromkeys(world.configured.recipes, 0)
        alarms.update({image: len(texts) for image, texts in self.alarms.items()})
        self.metrics.set_images(
            ages_s=ages_s,
            age_limits_s={
                image: one.fresh_s_max
                for image, one in world.configured.policies.items()
                if one.fresh_s_max is not None
            },
            generations=generations,
            canaries=dict(_canaries(records)),
            uploads=uploads,
            alarms=alarms,
        )
        self.metrics.set_hands(self.world.lanes.running.total(), sum(LANE_SIZES.values()))


def _canaries(records: Records) -> Iterator[tuple[tuple[str, ...], float]]:
    """Yield what is counted of builds that are tried, by image, provider, sample and result."""
    for (image, provider), stored in records.pointers.items():
        if stored.value.canary is None:
            continue
        one = records.library().tally(image, provider).of(stored.value.canary.number)
        for sample in Sample:
            counts, key = one.total(sample), (image, provider, str(sample))
            yield (*key, word_of(ok=True)), counts.ok
            yield (*key, word_of(ok=False)), counts.failed


def _result(before: Build, after: Build) -> str | None:
    """Return what came of a build with this write, or None: it only goes on."""
    blame = "" if after.mishap is None else f".{after.mishap.blame}"
    if before.state not in UNDER_WAY or before.state is after.state:
        return None
    match after.state:
        case BuildState.BUILT | BuildState.SAME | BuildState.SUPERSEDED:
            return str(after.state)
        case BuildState.FAILED:
            return f"failed{blame}"
        case BuildState.REQUESTED:
            return f"lost{blame}"
        case _:
            return None
