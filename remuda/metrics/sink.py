"""What daemons call when something happened: narrow typed methods, fanned out to the backends.

No method blocks or raises for what happens beyond the process; a daemon never has to think about
its metrics. All methods may be called from any thread.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from remuda import __version__
from remuda.metrics import evidence, heldnames, names
from remuda.metrics.metric import Metric
from remuda.model.archivetold import ArchiveTold
from remuda.model.fetched import During
from remuda.model.jobreport import JobReport
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import PoolStatus, ProviderStatus
from remuda.model.upload import UploadState

#: Values of a metric's labels and hints, by name.
MetricLabels = Mapping[str, str]
#: All samples of a gauge: label values in the order of ``Metric.labels`` → value.
Family = Mapping[tuple[str, ...], float]
#: Nodes by ``(provider, pool, label, state)``.
NodeCounts = Mapping[tuple[str, str, str, str], int]


class Backend(Protocol):
    """Where measurements go; never blocks, never raises for what the network does."""

    def add(self, metric: Metric, amount: float, labels: MetricLabels) -> None:
        """Count *amount* more of a counter."""

    def observe(self, metric: Metric, seconds: float, labels: MetricLabels) -> None:
        """Record one duration of a histogram."""

    def replace(self, metric: Metric, family: Family) -> None:
        """Replace all samples of a gauge; see ``Metric.absent_is_zero`` for those left out."""


class Metrics:
    """All that a daemon may say about itself."""

    def __init__(self, backends: Iterable[Backend]) -> None:
        self._backends = tuple(backends)
        self._replace(names.BUILD_INFO, {(__version__,): 1.0})

    def observe_cloud_call(
        self, provider: str, operation: str, outcome: str, seconds: float
    ) -> None:
        """One API call ended.

        Args:
            provider: Whose API.
            operation: For example ``compute.GET.servers``: the words that openstacksdk uses.
            outcome: ``ok``, or the word for the reaction it calls for, such as ``try-later``.
            seconds: How long it took.
        """
        labels = {"provider": provider, "operation": operation, "outcome": outcome}
        self._observe(names.CLOUD_CALL_SECONDS, seconds, labels)

    def observe_launch(
        self,
        provider: str,
        pool: str,
        label: str,
        *,
        az: str | None,
        result: str,
        seconds: float,
        requestor: str | None = None,
    ) -> None:
        """One launch ended with *result* (see ``remuda.metrics.results``), well or not.

        Args:
            provider: Who made it.
            pool: In which slice.
            label: What was made.
            az: Availability zone if known.
            result: A word of ``Result``.
            seconds: Since the intent was written.
            requestor: For whom, if for one request.
        """
        labels = {
            "provider": provider,
            "pool": pool,
            "label": label,
            "az": az or "",
            "result": result,
            "requestor": requestor or "",
        }
        self._add(names.LAUNCHES, 1, labels)
        self._observe(names.LAUNCH_SECONDS, seconds, labels)

    def observe_step(self, provider: str, pool: str, label: str, step: str, seconds: float) -> None:
        """One step of a launch ended: ``create``, ``boot``, or a step of the proof."""
        labels = {"provider": provider, "pool": pool, "label": label, "step": step}
        self._observe(names.LAUNCH_STEP_SECONDS, seconds, labels)

    def observe_request_wait(self, provider: str, label: str, seconds: float) -> None:
        """A request was fulfilled *seconds* after its submission; once per distinct label."""
        self._observe(names.REQUEST_WAIT_SECONDS, seconds, {"provider": provider, "label": label})

    def observe_handout(self, provider: str, seconds: float) -> None:
        """A request that ready nodes cover was fulfilled *seconds* after it was seen."""
        self._observe(names.HANDOUT_SECONDS, seconds, {"provider": provider})

    def observe_turn(self, phase: str, seconds: float) -> None:
        """One phase of the brain's turn: ``inbox``, ``fold``, ``decide`` or ``act``."""
        self._observe(names.TURN_SECONDS, seconds, {"phase": phase})

    def set_nodes(self, counts: NodeCounts) -> None:
        """Replace the counts of nodes; every state of a known pool and label is reported."""
        whole: dict[tuple[str, ...], float] = {
            (provider, pool, label, state): 0.0
            for provider, pool, label, _ in counts
            for state in NodeState
        }
        self._replace(names.NODES, whole | {key: float(count) for key, count in counts.items()})

    def set_holds(
        self, provider: str, holds: Mapping[tuple[str, str], int], autoholds: int
    ) -> None:
        """Replace the counts of held machines, by owner and age, and of autoholds that wait."""
        self._replace(heldnames.HOLDS, {(provider, *key): float(n) for key, n in holds.items()})
        self._replace(heldnames.AUTOHOLDS, {(provider,): float(autoholds)})

    def set_take_home_images(self, provider: str, images: Mapping[tuple[str, str], int]) -> None:
        """Replace the counts of images that held machines became, by owner and age."""
        self._replace(
            heldnames.TAKE_HOME_IMAGES, {(provider, *key): float(n) for key, n in images.items()}
        )

    def count_take_home(self, provider: str, result: str) -> None:
        """A wish for an image came to its end: ``refused``, ``whole``, ``unshared``, ``failed``."""
        self._add(heldnames.TAKE_HOMES, 1, {"provider": provider, "result": result})

    def set_limits(self, provider: str, pools: Mapping[str, PoolStatus]) -> None:
        """Replace limits and use of all pools of the process's provider."""
        limit: dict[tuple[str, ...], float] = {}
        use: dict[tuple[str, ...], float] = {}
        for name, pool in pools.items():
            for resource, used, most in (
                ("instances", pool.instances, pool.instances_max),
                ("cores", pool.cores, pool.cores_max),
                ("ram_mib", pool.ram_mib, pool.ram_mib_max),
            ):
                use[provider, name, resource] = used
                if most is not None:
                    limit[provider, name, resource] = most
        self._replace(names.POOL_LIMIT, limit)
        self._replace(names.POOL_USE, use)

    def set_provider(self, status: ProviderStatus) -> None:
        """Replace all that a provider's status says: limits, quota, breakers, trouble."""
        provider = status.provider
        self.set_limits(provider, status.pools)
        quota = status.quota.items()
        self._replace(names.QUOTA_USE, {(provider, what): used for what, (used, _) in quota})
        self._replace(
            names.QUOTA_LIMIT,
            {(provider, what): most for what, (_, most) in quota if most is not None},
        )
        self._replace(
            names.LABEL_BROKEN,
            {
                (provider, name): float(one.broken is not None)
                for name, one in status.labels.items()
            },
        )
        self._replace(names.PROVIDER_TROUBLE, {(provider,): float(status.trouble is not None)})

    def set_requests(self, counts: Mapping[str, int]) -> None:
        """Replace the counts of requests by state; states left out are zero."""
        self._replace(names.REQUESTS, {(state,): counts.get(state, 0) for state in RequestState})

    def set_oldest(
        self, provider: str, *, requests: Mapping[str, float], launches: Mapping[str, float]
    ) -> None:
        """Say for each label how many seconds the oldest waits, and is being made."""
        for metric, ages in ((names.OLDEST_REQUEST, requests), (names.OLDEST_LAUNCH, launches)):
            self._replace(metric, {(provider, label): age for label, age in ages.items()})

    def set_min_ready(self, wanted: Mapping[str, int]) -> None:
        """Replace how many ready nodes labels are to have."""
        self._replace(names.MIN_READY, {(label,): count for label, count in wanted.items()})

    def set_replicas(self, provider: str, alive: int) -> None:
        """Say how many launchers of a provider are alive."""
        self._replace(names.REPLICAS, {(provider,): alive})

    def set_config_rejected(self, *, rejected: bool) -> None:
        """Say whether the configuration file, as it is now, cannot be used."""
        self._replace(names.CONFIG_REJECTED, {(): float(rejected)})

    def set_addressable(self, provider: str, counts: Mapping[str, int]) -> None:
        """Replace the counts by pool of open requests that it could serve."""
        self._replace(
            names.ADDRESSABLE_REQUESTS, {(provider, pool): count for pool, count in counts.items()}
        )

    def set_hands(self, busy: int, hands: int) -> None:
        """Say how many of the *hands* are *busy*."""
        self._replace(names.HANDS_BUSY, {(): busy})
        self._replace(names.HANDS, {(): hands})

    def set_connected(self, *, connected: bool) -> None:
        """Say whether the ZooKeeper session is good."""
        self._replace(names.STORE_CONNECTED, {(): float(connected)})

    def count_declined(self, provider: str, pool: str) -> None:
        """A pool declined a request for good."""
        self._add(names.DECLINED, 1, {"provider": provider, "pool": pool})

    def count_report(self, provider: str, label: str, image: str, report: JobReport) -> None:
        """It is known how the work on a node went.

        Args:
            provider: Whose node.
            label: What was asked for.
            image: The image of ours that it boots, or empty.
            report: What is known.
        """
        labels = {
            "provider": provider,
            "label": label,
            "image": image,
            "result": report.word,
            "source": str(report.source),
        }
        self._add(names.JOB_REPORTS, 1, labels)

    def count_archive(self, provider: str, label: str, told: ArchiveTold) -> None:
        """It is known what became of the archive of a job.

        Args:
            provider: Whose node tells of it.
            label: What was asked for.
            told: What its holder says.
        """
        labels = {"provider": provider, "label": label}
        self._add(evidence.ARCHIVES, 1, {**labels, "outcome": str(told.outcome)})
        self._add(evidence.ARCHIVE_BYTES, told.bytes, labels)
        self._add(evidence.ARCHIVE_FILES, told.files, {**labels, "outcome": "stored"})
        self._add(evidence.ARCHIVE_FILES, told.failed, {**labels, "outcome": "failed"})

    def observe_fetched(
        self, provider: str, label: str, image: str, during: During, fetched: int
    ) -> None:
        """A machine has fetched so many bytes while it was set up, or during a job.

        Args:
            provider: Whose node.
            label: What was asked for.
            image: The image of ours that it boots, or empty.
            during: When.
            fetched: Bytes, as the machine says.
        """
        labels = {"provider": provider, "label": label, "image": image, "during": str(during)}
        self._observe(names.FETCHED_BYTES, fetched, labels)

    def count_leaked(self, provider: str, kind: str, amount: int = 1) -> None:
        """Things that nobody owns were deleted: ``instances``, ``floatingips``, ``ports``."""
        self._add(names.LEAKED, amount, {"provider": provider, "kind": kind})

    def count_capsule(
        self, provider: str, kind: str, store: str, *, size_bytes: int | None
    ) -> None:
        """A whole capsule was stored, or was not.

        Args:
            provider: Whose machine.
            kind: ``launch`` or ``job``: what failed.
            store: ``folder`` or ``swift``.
            size_bytes: As stored; None: it was not.
        """
        outcome = "failed" if size_bytes is None else "stored"
        labels = {"provider": provider, "kind": kind, "store": store, "outcome": outcome}
        self._add(evidence.CAPSULES, 1, labels)
        if size_bytes is not None:
            self._add(evidence.CAPSULE_BYTES, size_bytes, {"provider": provider, "store": store})

    def count_lost_write(self, provider: str, what: str) -> None:
        """A transaction lost its race; *what* it was for: ``lend``, ``claim``, ``ready`` …."""
        self._add(names.LOST_WRITES, 1, {"provider": provider, "what": what})

    def count_record_set_aside(self, kind: str) -> None:
        """A record could not be read; *kind* is ``request``, ``node``, ``launch`` …."""
        self._add(names.RECORDS_SET_ASIDE, 1, {"kind": kind})

    def count_record_error(self, kind: str) -> None:
        """A record met an error nobody had foreseen; see :meth:`count_record_set_aside`."""
        self._add(names.RECORD_ERRORS, 1, {"kind": kind})

    def count_session_lost(self) -> None:
        """The ZooKeeper session expired."""
        self._add(names.SESSIONS_LOST, 1, {})

    def count_hand_crash(self, action: str) -> None:
        """An action ended with an error nobody had foreseen."""
        self._add(names.HAND_CRASHES, 1, {"action": action})

    def observe_image_build(
        self, image: str, provider: str, result: str, seconds: float | None
    ) -> None:
        """A build ended, or begins anew; *seconds* since it was taken, if it ever was."""
        labels = {"image": image, "provider": provider, "result": result}
        self._add(names.IMAGE_BUILDS, 1, labels)
        if seconds is not None:
            self._observe(names.IMAGE_BUILD_SECONDS, seconds, labels)

    def set_images(
        self,
        *,
        ages_s: Family,
        age_limits_s: Mapping[str, float],
        generations: Family,
        canaries: Family,
        uploads: Family,
        alarms: Mapping[str, int],
    ) -> None:
        """Replace all that is said of images.

        Args:
            ages_s: Of what is booted, by image and provider.
            age_limits_s: How old that may be, by image, for those that have a limit.
            generations: Of pointers, by image and provider.
            canaries: Counts by image, provider, sample and result, of what is tried now.
            uploads: Counts by image and state; states left out are zero.
            alarms: How many, by image.
        """
        self._replace(names.IMAGE_AGE, ages_s)
        limits: Family = {(image,): limit_s for image, limit_s in age_limits_s.items()}
        self._replace(names.IMAGE_AGE_LIMIT, limits)
        self._replace(names.IMAGE_GENERATION, generations)
        self._replace(names.IMAGE_CANARY, canaries)
        zeros: dict[tuple[str, ...], float] = {
            (image, state): 0.0 for image, _ in uploads for state in UploadState
        }
        self._replace(names.IMAGE_UPLOADS, {**zeros, **uploads})
        self._replace(names.IMAGE_ALARMS, {(image,): n for image, n in alarms.items()})

    def set_images_configured(self, provider: str, count: int) -> None:
        """Say how many images are to be made for a provider."""
        self._replace(names.IMAGES_CONFIGURED, {(provider,): count})

    def _add(self, metric: Metric, amount: float, labels: MetricLabels) -> None:
        for backend in self._backends:
            backend.add(metric, amount, labels)

    def _observe(self, metric: Metric, seconds: float, labels: MetricLabels) -> None:
        # A wall clock that was set back must not make a duration negative.
        for backend in self._backends:
            backend.observe(metric, max(0.0, seconds), labels)

    def _replace(self, metric: Metric, family: Family) -> None:
        for backend in self._backends:
            backend.replace(metric, family)


class NullMetrics(Metrics):
    """Measurements that nobody wants: for tests and short commands."""

    def __init__(self) -> None:
        super().__init__(())
