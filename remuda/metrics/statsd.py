"""Metrics for statsd: UDP packets under the names that Nodepool's dashboards know.

Packets are lost when nobody listens; that is statsd's contract, and it keeps us from ever
waiting for a monitoring host.
"""

import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from statsd import StatsClient

from remuda import logs
from remuda.metrics.metric import Metric
from remuda.metrics.sink import Family, MetricLabels
from remuda.runtime.clock import Clock, SystemClock

#: An unchanged gauge is repeated after so long, for a statsd server that was restarted.
REPEAT_S: Final = 60.0
#: The host name is looked up again after so long when that failed.
LOOKUP_RETRY_S: Final = 60.0
#: So long the constructor waits for the look-up: usually milliseconds, and then nothing is lost.
LOOKUP_WAIT_S: Final = 1.0
#: A name that is longer than this is somebody's mistake; it is cut.
NAME_CHARS_MAX: Final = 250

_BREAKS_PROTOCOL: Final = re.compile(r"[^A-Za-z0-9_.-]")
_PLACE: Final = re.compile(r"{(\w+)}")


class StatsdBackend:
    """Sends to one statsd server; never raises, never waits for the network."""

    def __init__(self, host: str, port: int, prefix: str, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._client: StatsClient | None = None
        self._closed = threading.Event()
        self._sent: dict[str, tuple[float, float]] = {}
        self._known: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = defaultdict(dict)
        # The library looks the name up when it is made; that may take as long as DNS likes.
        opener = threading.Thread(
            target=self._open, args=(host, port, prefix), name="statsd-lookup", daemon=True
        )
        opener.start()
        opener.join(LOOKUP_WAIT_S)

    def add(self, metric: Metric, amount: float, labels: MetricLabels) -> None:
        """Send a counter under each of its names."""
        client = self._client
        if client is not None:
            for name in statsd_names(metric, labels):
                client.incr(name, int(amount))

    def observe(self, metric: Metric, seconds: float, labels: MetricLabels) -> None:
        """Send a timing in milliseconds and a counter under each of its names."""
        client = self._client
        if client is None or not metric.statsd:
            return
        with client.pipeline() as pipe:
            for name in statsd_names(metric, labels):
                pipe.timing(name, seconds * 1000.0)
                pipe.incr(name)

    def replace(self, metric: Metric, family: Family) -> None:
        """Send the sums of a gauge that changed, or that were not sent for a while."""
        client = self._client
        if client is None or not metric.statsd:
            return
        with self._lock:
            due = self._due(self._sums(metric, family))
        with client.pipeline() as pipe:
            for name, value in due:
                pipe.gauge(name, int(value) if value.is_integer() else value)

    def close(self) -> None:
        """Stop sending; the socket goes with the last sender that still has it in hand."""
        self._closed.set()
        self._client = None

    def _open(self, host: str, port: int, prefix: str) -> None:
        log = logs.get_logger(host=host, port=port)
        while not self._closed.is_set():
            try:
                client = StatsClient(host, port, prefix=prefix or None, ipv6=":" in host)
            except OSError as exc:
                log.warning("statsd.unresolved", cause=str(exc), retry_s=LOOKUP_RETRY_S)
                self._closed.wait(LOOKUP_RETRY_S)
            else:
                self._client = client
                return

    def _sums(self, metric: Metric, family: Family) -> dict[str, float]:
        """Return name → sum over all samples; names of samples that went away are zero."""
        known = self._known[metric.name]
        for values in family.keys() - known.keys():
            labels = dict(zip(metric.labels, values, strict=True))
            known[values] = tuple(statsd_names(metric, labels))
        reported = known if metric.absent_is_zero else family
        sums: dict[str, float] = defaultdict(float)
        for values in reported:
            for name in known[values]:
                sums[name] += family.get(values, 0.0)
        return sums

    def _due(self, sums: dict[str, float]) -> list[tuple[str, float]]:
        now_s = self._clock.monotonic_s()
        due = []
        for name, value in sums.items():
            last = self._sent.get(name)
            if last is None or last[0] != value or now_s - last[1] >= REPEAT_S:
                self._sent[name] = (value, now_s)
                due.append((name, value))
        return due


def statsd_names(metric: Metric, labels: MetricLabels) -> Iterator[str]:
    """Yield the statsd names of a sample, without the prefix; one with an empty part has none."""
    for one in metric.statsd:
        if one.only is not None and labels.get(one.only[0]) != one.only[1]:
            continue
        words = {key: _word(key, labels.get(key, "")) for key in _PLACE.findall(one.template)}
        if all(words.values()):
            yield one.template.format_map(words)[:NAME_CHARS_MAX]


def _word(key: str, value: str) -> str:
    """Return *value* without what would break the protocol.

    Dots stay in labels and results, as dashboards made for Nodepool know them; a requestor is
    free text of another program, and there a dot would invent levels.
    """
    word = _BREAKS_PROTOCOL.sub("_", value)
    return word.replace(".", "_") if key == "requestor" else word
