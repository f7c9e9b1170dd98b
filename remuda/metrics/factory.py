"""Make the metrics of a process as its configuration wants them."""

from dataclasses import dataclass

from remuda.config.model import Statsd
from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.sink import Backend, Metrics
from remuda.metrics.statsd import StatsdBackend


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What daemons write to, and what their ``/metrics`` page reads from."""

    metrics: Metrics
    prometheus: PrometheusBackend


def build_instruments(statsd: Statsd | None) -> Instruments:
    """Return the metrics of a process; without *statsd* only Prometheus can read them."""
    prometheus = PrometheusBackend()
    backends: list[Backend] = [prometheus]
    if statsd is not None:
        backends.append(StatsdBackend(statsd.host, statsd.port, statsd.prefix))
    return Instruments(metrics=Metrics(backends), prometheus=prometheus)
