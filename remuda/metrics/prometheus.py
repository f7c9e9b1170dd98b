"""Metrics for Prometheus: one registry per process object, read through ``/metrics``."""

import threading
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from remuda.metrics.metric import Metric, MetricKind
from remuda.metrics.names import METRICS
from remuda.metrics.sink import Family, MetricLabels

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class PrometheusBackend:
    """Keeps all metrics of one process in a registry of its own, never in the library's global."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._lock = threading.Lock()
        ProcessCollector(registry=self._registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._known: dict[str, set[tuple[str, ...]]] = {}
        for metric in METRICS:
            self._declare(metric)

    def add(self, metric: Metric, amount: float, labels: MetricLabels) -> None:
        """Count *amount* more."""
        counter = self._counters[metric.name]
        values = _values(metric, labels)
        (counter.labels(*values) if values else counter).inc(amount)

    def observe(self, metric: Metric, seconds: float, labels: MetricLabels) -> None:
        """Put one duration into its bucket."""
        histogram = self._histograms[metric.name]
        values = _values(metric, labels)
        (histogram.labels(*values) if values else histogram).observe(seconds)

    def replace(self, metric: Metric, family: Family) -> None:
        """Set all samples; those left out become zero or vanish."""
        gauge = self._gauges[metric.name]
        with self._lock:
            known = self._known[metric.name]
            for values in known - set(family):
                if metric.absent_is_zero:
                    gauge.labels(*values).set(0)
                else:
                    gauge.remove(*values)
            for values, value in family.items():
                (gauge.labels(*values) if values else gauge).set(value)
            self._known[metric.name] = known | set(family) if metric.absent_is_zero else set(family)

    def text(self) -> bytes:
        """Return everything in the text format of :data:`CONTENT_TYPE`."""
        return generate_latest(self._registry)

    def _declare(self, metric: Metric) -> None:
        match metric.kind:
            case MetricKind.COUNTER:
                self._counters[metric.name] = Counter(
                    metric.name, metric.help, metric.labels, registry=self._registry
                )
            case MetricKind.GAUGE:
                self._gauges[metric.name] = Gauge(
                    metric.name, metric.help, metric.labels, registry=self._registry
                )
                self._known[metric.name] = set()
            case MetricKind.HISTOGRAM:
                self._histograms[metric.name] = Histogram(
                    metric.name,
                    metric.help,
                    metric.labels,
                    buckets=metric.buckets,
                    registry=self._registry,
                )


def _values(metric: Metric, labels: MetricLabels) -> tuple[str, ...]:
    return tuple(labels[name] for name in metric.labels)
