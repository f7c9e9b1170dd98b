"""The metrics of what jobs leave (archives), and of what machines that failed do (capsules)."""

from typing import Final

from remuda.metrics.metric import Metric, MetricKind, StatsdName

ARCHIVES: Final = Metric(
    name="remuda_archives_total",
    kind=MetricKind.COUNTER,
    help="Archives that holders of nodes told of: complete, incomplete, failed (nothing is there).",
    labels=("provider", "label", "outcome"),
    statsd=(StatsdName(template="archive.{provider}.{label}.{outcome}"),),
)
ARCHIVE_BYTES: Final = Metric(
    name="remuda_archive_bytes_total",
    kind=MetricKind.COUNTER,
    help="Bytes of files in archives, as they were on the machines, as their holders say.",
    labels=("provider", "label"),
    statsd=(StatsdName(template="archive.{provider}.{label}.bytes"),),
)
ARCHIVE_FILES: Final = Metric(
    name="remuda_archive_files_total",
    kind=MetricKind.COUNTER,
    help="Files that were stored in archives, or read and failed to be, as their holders say.",
    labels=("provider", "label", "outcome"),
    statsd=(StatsdName(template="archive.{provider}.{label}.files.{outcome}"),),
)
CAPSULES: Final = Metric(
    name="remuda_capsules_total",
    kind=MetricKind.COUNTER,
    help="Whole capsules of failed machines: stored, or failed to be, in a folder or in Swift.",
    labels=("provider", "kind", "store", "outcome"),
)
CAPSULE_BYTES: Final = Metric(
    name="remuda_capsule_bytes_total",
    kind=MetricKind.COUNTER,
    help="Bytes of whole capsules that were stored.",
    labels=("provider", "store"),
)
#: In the order of the documentation.
OF_ARCHIVES: Final = (ARCHIVES, ARCHIVE_BYTES, ARCHIVE_FILES)
OF_CAPSULES: Final = (CAPSULES, CAPSULE_BYTES)
