"""Every metric, declared once: the sinks, docs/metrics.md, alerts and tests all read this table.

Units are the base units of Prometheus: seconds, bytes, and plain counts. statsd has no labels, so a
metric may have several statsd names, each with some labels in it; timings go out in milliseconds
together with a counter of the same name, as Nodepool's dashboards expect.
"""

from typing import Final

from remuda.metrics import evidence, heldnames
from remuda.metrics.metric import Metric, MetricKind, StatsdName

#: From a transaction on a quiet ensemble to a stall that somebody must look at.
_FAST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Cloud APIs answer in tenths of seconds on a good day and run into a minute's time-out on a bad.
_CALL_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
#: From nothing but a connection of ours to a whole distribution.
_BYTES: Final = tuple(float(4**power * 1024) for power in range(2, 13))
#: Boots: half a minute is fast, ten minutes common, an hour hopeless.
_LAUNCH_S: Final = (1, 2, 5, 10, 20, 30, 60, 90, 120, 180, 300, 450, 600, 900, 1800, 3600)
#: Requests: milliseconds from a warm pool, hours in a full cloud.
_WAIT_S: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 14400)
#: Builds: minutes for a few packages, hours for mirrors.
_BUILD_S: Final = (60, 120, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 14400, 28800)

NODES: Final = Metric(
    name="remuda_nodes",
    kind=MetricKind.GAUGE,
    help="Nodes by state; states and labels that emptied stay at zero.",
    labels=("provider", "pool", "label", "state"),
    statsd=(
        # Each with its provider: a gauge that several processes set says what the last one said.
        StatsdName(template="provider.{provider}.nodes.{state}"),
        StatsdName(template="provider.{provider}.label.{label}.nodes.{state}"),
    ),
)
MIN_READY: Final = Metric(
    name="remuda_min_ready",
    kind=MetricKind.GAUGE,
    help="Ready nodes that a label is to have, in all providers together.",
    labels=("label",),
)
OLDEST_LAUNCH: Final = Metric(
    name="remuda_oldest_launch_age",
    kind=MetricKind.GAUGE,
    help="Seconds since the oldest node of a label that is being made was planned; 0: none is.",
    labels=("provider", "label"),
)
POOL_LIMIT: Final = Metric(
    name="remuda_pool_limit",
    kind=MetricKind.GAUGE,
    help="Limit of a pool: instances, cores or ram_mib; absent where there is none.",
    labels=("provider", "pool", "resource"),
    absent_is_zero=False,
    statsd=(
        StatsdName(template="provider.{provider}.max_servers", only=("resource", "instances")),
    ),
)
POOL_USE: Final = Metric(
    name="remuda_pool_use",
    kind=MetricKind.GAUGE,
    help="What the nodes of a pool use, in the units of its limits.",
    labels=("provider", "pool", "resource"),
)
QUOTA_LIMIT: Final = Metric(
    name="remuda_quota_limit",
    kind=MetricKind.GAUGE,
    help="What the cloud allows the account; absent where it sets no limit.",
    labels=("provider", "resource"),
    absent_is_zero=False,
)
QUOTA_USE: Final = Metric(
    name="remuda_quota_use",
    kind=MetricKind.GAUGE,
    help="What the account uses: our own nodes now, other people's servers as last surveyed.",
    labels=("provider", "resource"),
    absent_is_zero=False,
)
LABEL_BROKEN: Final = Metric(
    name="remuda_label_broken",
    kind=MetricKind.GAUGE,
    help="1 while new launches of a label are held back because they keep failing.",
    labels=("provider", "label"),
)
PROVIDER_TROUBLE: Final = Metric(
    name="remuda_provider_trouble",
    kind=MetricKind.GAUGE,
    help="1 while a provider is out of service as a whole: API away, credentials refused.",
    labels=("provider",),
)
LAUNCHES: Final = Metric(
    name="remuda_launches_total",
    kind=MetricKind.COUNTER,
    help="Finished launches by result: ready, or error.<cause>.",
    labels=("provider", "pool", "label", "az", "result"),
)
LAUNCH_SECONDS: Final = Metric(
    name="remuda_launch_seconds",
    kind=MetricKind.HISTOGRAM,
    help="From the intent to a proven node, or to giving up.",
    labels=("provider", "pool", "label", "result"),
    hints=("az", "requestor"),
    buckets=_LAUNCH_S,
    statsd=(
        StatsdName(template="launch.{result}"),
        StatsdName(template="launch.provider.{provider}.{result}"),
        StatsdName(template="launch.provider.{provider}.{az}.{result}"),
        StatsdName(template="launch.requestor.{requestor}.{result}"),
    ),
)
LAUNCH_STEP_SECONDS: Final = Metric(
    name="remuda_launch_step_seconds",
    kind=MetricKind.HISTOGRAM,
    help="How long one step of a launch took: where the time to ready goes.",
    labels=("provider", "pool", "label", "step"),
    buckets=_LAUNCH_S,
)
REQUEST_WAIT_SECONDS: Final = Metric(
    name="remuda_request_wait_seconds",
    kind=MetricKind.HISTOGRAM,
    help="From the submission of a request to its fulfilment, by ZooKeeper's clock.",
    labels=("provider", "label"),
    buckets=_WAIT_S,
    statsd=(
        StatsdName(template="request_wait.{label}"),
        StatsdName(template="request_wait.provider.{provider}.{label}"),
    ),
)
HANDOUT_SECONDS: Final = Metric(
    name="remuda_handout_seconds",
    kind=MetricKind.HISTOGRAM,
    help="From seeing a request that ready nodes can serve to its fulfilment in ZooKeeper.",
    labels=("provider",),
    buckets=_FAST_S,
)
REQUESTS: Final = Metric(
    name="remuda_requests",
    kind=MetricKind.GAUGE,
    help="Requests in ZooKeeper by state.",
    labels=("state",),
)
OLDEST_REQUEST: Final = Metric(
    name="remuda_oldest_request_age",
    kind=MetricKind.GAUGE,
    help="Seconds that a provider's oldest request for nodes of a label waits; 0: none does.",
    labels=("provider", "label"),
)
ADDRESSABLE_REQUESTS: Final = Metric(
    name="remuda_addressable_requests",
    kind=MetricKind.GAUGE,
    help="Open requests whose labels a pool can make and that it has not declined.",
    labels=("provider", "pool"),
    statsd=(StatsdName(template="provider.{provider}.pool.{pool}.addressable_requests"),),
)
DECLINED: Final = Metric(
    name="remuda_declined_total",
    kind=MetricKind.COUNTER,
    help="Requests that a pool declined for good.",
    labels=("provider", "pool"),
)
JOB_REPORTS: Final = Metric(
    name="remuda_job_reports_total",
    kind=MetricKind.COUNTER,
    help="How work on nodes went (ok, failed), and who told it (zuul tells of failures alone).",
    labels=("provider", "label", "image", "result", "source"),
    statsd=(StatsdName(template="report.{provider}.{label}.{result}"),),
)
FETCHED_BYTES: Final = Metric(
    name="remuda_fetched_bytes",
    kind=MetricKind.HISTOGRAM,
    help="Bytes that machines fetched during their setup, or a job, as they say; image may be ''.",
    labels=("provider", "label", "image", "during"),
    buckets=_BYTES,
)
CLOUD_CALL_SECONDS: Final = Metric(
    name="remuda_cloud_call_seconds",
    kind=MetricKind.HISTOGRAM,
    help="Calls of a cloud's API by operation and outcome (ok, or the reaction it calls for).",
    labels=("provider", "operation", "outcome"),
    buckets=_CALL_S,
    statsd=(StatsdName(template="task.{provider}.{operation}"),),
)
LEAKED: Final = Metric(
    name="remuda_leaked_total",
    kind=MetricKind.COUNTER,
    help="Things of ours that no record owned, found in a cloud and deleted.",
    labels=("provider", "kind"),
    statsd=(StatsdName(template="provider.{provider}.leaked.{kind}"),),
)
LOST_WRITES: Final = Metric(
    name="remuda_lost_writes_total",
    kind=MetricKind.COUNTER,
    help="Transactions that ZooKeeper rejected because somebody else was faster.",
    labels=("provider", "what"),
)
RECORDS_SET_ASIDE: Final = Metric(
    name="remuda_records_set_aside_total",
    kind=MetricKind.COUNTER,
    help="Records in ZooKeeper that could not be read, each time that somebody wrote one.",
    labels=("kind",),
)
RECORD_ERRORS: Final = Metric(
    name="remuda_record_errors_total",
    kind=MetricKind.COUNTER,
    help="Records that met an error nobody had foreseen, and were set aside: bugs to report.",
    labels=("kind",),
)
SESSIONS_LOST: Final = Metric(
    name="remuda_sessions_lost_total",
    kind=MetricKind.COUNTER,
    help="ZooKeeper sessions that expired under us, and every lease with them.",
)
CONFIG_REJECTED: Final = Metric(
    name="remuda_config_rejected",
    kind=MetricKind.GAUGE,
    help="1 while a process goes on with its last good configuration: the file has mistakes.",
)
REPLICAS: Final = Metric(
    name="remuda_replicas",
    kind=MetricKind.GAUGE,
    help="Launchers of a provider that are alive, as each of them sees it.",
    labels=("provider",),
)
STORE_CONNECTED: Final = Metric(
    name="remuda_store_connected",
    kind=MetricKind.GAUGE,
    help="1 while the ZooKeeper session is good; 0 while nothing new may be started.",
)
TURN_SECONDS: Final = Metric(
    name="remuda_turn_seconds",
    kind=MetricKind.HISTOGRAM,
    help="One turn of the brain by phase: inbox (news waited so long), fold, decide, act.",
    labels=("phase",),
    buckets=_FAST_S,
)
HANDS_BUSY: Final = Metric(
    name="remuda_hands_busy",
    kind=MetricKind.GAUGE,
    help="Hands at work on something slow.",
)
HANDS: Final = Metric(
    name="remuda_hands",
    kind=MetricKind.GAUGE,
    help="Hands there are; all busy means that work waits for a free one.",
)
HAND_CRASHES: Final = Metric(
    name="remuda_hand_crashes_total",
    kind=MetricKind.COUNTER,
    help="Actions that ended with an error nobody had foreseen: bugs to report.",
    labels=("action",),
)
IMAGE_BUILDS: Final = Metric(
    name="remuda_image_builds_total",
    kind=MetricKind.COUNTER,
    help="Builds that ended, each counted by the builder that wrote it: built, same, superseded, "
    "failed.<blame>, or lost.<blame> where it begins anew.",
    labels=("image", "provider", "result"),
    statsd=(StatsdName(template="image.{image}.{provider}.{result}"),),
)
IMAGE_BUILD_SECONDS: Final = Metric(
    name="remuda_image_build_seconds",
    kind=MetricKind.HISTOGRAM,
    help="From the moment a builder took a build to its end.",
    labels=("image", "provider", "result"),
    buckets=_BUILD_S,
    statsd=(StatsdName(template="image.{image}.{provider}.seconds.{result}"),),
)
IMAGE_AGE: Final = Metric(
    name="remuda_image_age",
    kind=MetricKind.GAUGE,
    help="Seconds since the build that a provider boots, or one found the same, was asked for. "
    "Negative: its date is ahead of the builder's clock, so that nobody knows how old it is.",
    labels=("image", "provider"),
    absent_is_zero=False,
)
IMAGE_AGE_LIMIT: Final = Metric(
    name="remuda_image_age_limit",
    kind=MetricKind.GAUGE,
    help="Seconds that the age may be by the recipe's freshness; absent if it has none.",
    labels=("image",),
    absent_is_zero=False,
)
IMAGE_GENERATION: Final = Metric(
    name="remuda_image_pointer_generation",
    kind=MetricKind.GAUGE,
    help="Moves of what a provider boots of an image; every builder says it.",
    labels=("image", "provider"),
    absent_is_zero=False,
)
IMAGE_CANARY: Final = Metric(
    name="remuda_image_canary_samples",
    kind=MetricKind.GAUGE,
    help="Counted so far of the build that is tried, by every builder; absent if none is.",
    labels=("image", "provider", "sample", "result"),
    absent_is_zero=False,
)
IMAGE_UPLOADS: Final = Metric(
    name="remuda_image_uploads",
    kind=MetricKind.GAUGE,
    help="Builds in places, by state; every builder says it.",
    labels=("image", "state"),
)
IMAGE_ALARMS: Final = Metric(
    name="remuda_image_alarms",
    kind=MetricKind.GAUGE,
    help="What people should see to: too old, no recipe, builds or trials that come to nothing.",
    labels=("image",),
)
IMAGES_CONFIGURED: Final = Metric(
    name="remuda_images_configured",
    kind=MetricKind.GAUGE,
    help="Images to be made for a provider by its file; if no builder speaks of any, none runs.",
    labels=("provider",),
)
BUILD_INFO: Final = Metric(
    name="remuda_build_info",
    kind=MetricKind.GAUGE,
    help="Always 1; its label says which version runs.",
    labels=("version",),
)

#: In the order of the documentation.
METRICS: Final = (
    NODES,
    MIN_READY,
    OLDEST_LAUNCH,
    *heldnames.METRICS,
    POOL_LIMIT,
    POOL_USE,
    QUOTA_LIMIT,
    QUOTA_USE,
    LABEL_BROKEN,
    PROVIDER_TROUBLE,
    LAUNCHES,
    LAUNCH_SECONDS,
    LAUNCH_STEP_SECONDS,
    REQUEST_WAIT_SECONDS,
    HANDOUT_SECONDS,
    REQUESTS,
    OLDEST_REQUEST,
    ADDRESSABLE_REQUESTS,
    DECLINED,
    JOB_REPORTS,
    *evidence.OF_ARCHIVES,
    FETCHED_BYTES,
    CLOUD_CALL_SECONDS,
    LEAKED,
    *evidence.OF_CAPSULES,
    LOST_WRITES,
    RECORDS_SET_ASIDE,
    RECORD_ERRORS,
    SESSIONS_LOST,
    CONFIG_REJECTED,
    REPLICAS,
    STORE_CONNECTED,
    TURN_SECONDS,
    HANDS_BUSY,
    HANDS,
    HAND_CRASHES,
    IMAGE_BUILDS,
    IMAGE_BUILD_SECONDS,
    IMAGE_AGE,
    IMAGE_AGE_LIMIT,
    IMAGE_GENERATION,
    IMAGE_CANARY,
    IMAGE_UPLOADS,
    IMAGE_ALARMS,
    IMAGES_CONFIGURED,
    BUILD_INFO,
)
