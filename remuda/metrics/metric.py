"""What a metric is: its name, its labels, and what may be done with it."""

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """What may be done with a metric."""

    COUNTER = "counter"  # only grows; ``add``
    GAUGE = "gauge"  # a whole family is replaced at once; ``replace``
    HISTOGRAM = "histogram"  # durations, sizes; ``observe``


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsdName:
    """A statsd name (without the prefix) with label names in braces.

    Attributes:
        only: ``(label, value)``: sent only for samples with this label value.
    """

    template: str
    only: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Attributes:
        help: One sentence for people.
        labels: Prometheus labels, in order.
        hints: Further values that only statsd names use; they may be absent.
        buckets: Upper bounds in the metric's unit, for histograms.
        absent_is_zero: For gauges: a sample that is no longer reported goes to zero (a count);
            else it is withdrawn (a limit: zero would mean *closed*).
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    absent_is_zero: bool = True
    statsd: tuple[StatsdName, ...] = ()
