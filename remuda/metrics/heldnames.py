"""The metrics of machines that are kept for people, and of images that they became.

A part of :mod:`remuda.metrics.names`.
"""

from typing import Final

from remuda.metrics.metric import Metric, MetricKind, StatsdName

HOLDS: Final = Metric(
    name="remuda_holds",
    kind=MetricKind.GAUGE,
    help="Machines that are kept for people, or will be, by owner and by how long they are held "
    "already: granted, hour, day, week, longer. Owners beyond the first twenty are others.",
    labels=("provider", "owner", "age"),
)
AUTOHOLDS: Final = Metric(
    name="remuda_autoholds",
    kind=MetricKind.GAUGE,
    help="Autoholds of the installation that wait for a failure.",
    labels=("provider",),
)
TAKE_HOMES: Final = Metric(
    name="remuda_take_homes_total",
    kind=MetricKind.COUNTER,
    help="Wishes that a held machine become an image, by what became of them: refused, which its "
    "launcher counts; whole, unshared (an image, but not shared as was wished), failed, which the "
    "builder counts that wrote it.",
    labels=("provider", "result"),
    statsd=(StatsdName(template="provider.{provider}.take_homes.{result}"),),
)
TAKE_HOME_IMAGES: Final = Metric(
    name="remuda_take_home_images",
    kind=MetricKind.GAUGE,
    help="Images that held machines have become and that are there still, by owner and by how old "
    "they are: hour, day, week, longer. Owners beyond the first twenty are others.",
    labels=("provider", "owner", "age"),
)
#: In the order of the documentation.
METRICS: Final = (HOLDS, AUTOHOLDS, TAKE_HOMES, TAKE_HOME_IMAGES)
