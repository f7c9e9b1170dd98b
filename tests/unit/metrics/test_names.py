"""The table of metrics is sound, and the documentation is drawn from it."""

import re
from pathlib import Path

from remuda.metrics.metric import MetricKind
from remuda.metrics.names import METRICS
from remuda.metrics.reference import render

ROOT = Path(__file__).resolve().parents[3]


def test_names_are_unique_and_carry_their_unit() -> None:
    """Prometheus' habits: base units last, ``_total`` for counters and only for them."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"remuda(_[a-z]+)+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)
        unit = metric.name.endswith(("_seconds", "_bytes"))
        assert unit == (metric.kind is MetricKind.HISTOGRAM)


def test_buckets_belong_to_histograms_and_rise() -> None:
    """Explicit bounds everywhere: the library's defaults fit nothing here."""
    for metric in METRICS:
        assert bool(metric.buckets) == (metric.kind is MetricKind.HISTOGRAM)
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_statsd_templates_use_declared_values_only() -> None:
    """A template names labels or hints of its metric."""
    for metric in METRICS:
        for one in metric.statsd:
            used = set(re.findall(r"{(\w+)}", one.template))
            assert used <= {*metric.labels, *metric.hints}


def test_the_reference_is_current() -> None:
    """``make docs`` was run after the last change."""
    assert (ROOT / "docs/metrics.md").read_text() == render()
