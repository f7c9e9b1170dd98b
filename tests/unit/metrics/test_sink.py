"""What daemons say arrives under the declared names, in Prometheus and in statsd."""

import socket
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from remuda.metrics.factory import build_instruments
from remuda.metrics.metric import MetricKind
from remuda.metrics.names import METRICS
from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.results import Result
from remuda.metrics.sink import Metrics, NullMetrics
from remuda.metrics.statsd import REPEAT_S, StatsdBackend
from remuda.model.archivetold import ArchiveTold
from remuda.model.fetched import During
from remuda.model.jobreport import JobReport
from remuda.model.status import LabelStatus, PoolStatus, ProviderStatus


class ManualClock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_s(self) -> float:
        """Return what it was set to."""
        return self.at_s

    def monotonic_s(self) -> float:
        """Return what it was set to."""
        return self.at_s


class Statsd:
    """A statsd server that only listens."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.2)
        self.port: int = self.socket.getsockname()[1]

    def lines(self) -> list[str]:
        """Return what came since the last call."""
        got: list[str] = []
        while True:
            try:
                got += self.socket.recv(65536).decode().split("\n")
            except TimeoutError:
                return got


@pytest.fixture
def statsd() -> Iterator[Statsd]:
    """Return a server that keeps what it hears."""
    server = Statsd()
    yield server
    server.socket.close()


def samples(backend: PrometheusBackend) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by name and labels."""
    families = text_string_to_metric_families(backend.text().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(backend: PrometheusBackend, name: str, **labels: str) -> float | None:
    """Return one sample, or None if there is none."""
    return samples(backend).get((name, frozenset(labels.items())))


def say_everything(metrics: Metrics) -> None:
    """Call each method once."""
    metrics.observe_cloud_call("east", "compute.GET.servers", "ok", 0.2)
    metrics.observe_launch("east", "main", "small", az="nova", result=Result.READY, seconds=40)
    metrics.observe_step("east", "main", "small", "login", 0.4)
    metrics.observe_request_wait("east", "small", 3)
    metrics.observe_handout("east", 0.004)
    metrics.observe_turn("decide", 0.001)
    metrics.set_nodes({("east", "main", "small", "ready"): 3})
    metrics.set_holds("east", {("ada", "hour"): 1}, 2)
    metrics.set_take_home_images("east", {("ada", "day"): 3})
    metrics.count_take_home("east", "whole")
    metrics.set_provider(
        ProviderStatus(
            provider="east",
            trouble="unauthorised",
            labels={"small": LabelStatus(broken="3 launches failed in a row")},
            pools={"main": PoolStatus(instances=3, instances_max=10)},
            quota={"cores": (4, 20), "ram_mib": (1, None)},
        )
    )
    metrics.set_requests({"requested": 2})
    metrics.set_addressable("east", {"main": 2})
    metrics.set_oldest("east", requests={"small": 9.0}, launches={"small": 3.0})
    metrics.set_min_ready({"small": 2})
    metrics.set_replicas("east", 2)
    metrics.set_config_rejected(rejected=False)
    metrics.set_hands(1, 8)
    metrics.set_connected(connected=True)
    metrics.count_declined("east", "main")
    metrics.count_report("east", "small", "base", JobReport(ok=False))
    metrics.count_archive("east", "small", ArchiveTold(files=7, bytes=9, complete=True))
    metrics.observe_fetched("east", "small", "base", During.SETUP, 12_000_000)
    metrics.count_leaked("east", "instances", 2)
    metrics.count_capsule("east", "launch", "swift", size_bytes=7)
    metrics.count_capsule("east", "job", "folder", size_bytes=None)
    metrics.count_lost_write("east", "lend")
    metrics.count_record_set_aside("request")
    metrics.count_record_error("node")
    metrics.count_session_lost()
    metrics.count_hand_crash("boot")
    metrics.observe_image_build("base", "east", "built", 600)
    metrics.set_images(
        ages_s={("base", "east"): 60.0},
        age_limits_s={"base": 90.0},
        generations={("base", "east"): 3},
        canaries={("base", "east", "launch", "ok"): 12},
        uploads={("base", "usable"): 2},
        alarms={"base": 0},
    )
    metrics.set_images_configured("east", 2)


def test_every_declared_metric_is_said_by_some_method() -> None:
    """A metric that nothing feeds, or a method whose labels do not fit, is a mistake."""
    prometheus = PrometheusBackend()
    say_everything(Metrics([prometheus]))

    said = {name for name, _ in samples(prometheus)}

    for metric in METRICS:
        sample = f"{metric.name}_count" if metric.kind is MetricKind.HISTOGRAM else metric.name
        assert sample in said


def test_null_metrics_take_everything() -> None:
    """Short commands need no metrics."""
    say_everything(NullMetrics())


def test_two_processes_worth_of_metrics_do_not_share_a_registry() -> None:
    """Nothing is registered globally, so one test process may hold many daemons."""
    one, two = PrometheusBackend(), PrometheusBackend()
    Metrics([one]).count_session_lost()
    Metrics([two])

    assert value(one, "remuda_sessions_lost_total") == 1
    assert value(two, "remuda_sessions_lost_total") == 0


def test_a_node_state_that_emptied_is_zero_not_absent() -> None:
    """Dashboards and alerts see the zero, even when a whole label went away."""
    prometheus = PrometheusBackend()
    metrics = Metrics([prometheus])

    metrics.set_nodes({("east", "main", "small", "building"): 2})
    metrics.set_nodes({("east", "main", "big", "ready"): 1})

    def nodes(label: str, state: str) -> float | None:
        return value(
            prometheus, "remuda_nodes", provider="east", pool="main", label=label, state=state
        )

    assert nodes("small", "building") == 0
    assert nodes("big", "ready") == 1
    assert nodes("big", "hold") == 0


def test_a_limit_that_was_lifted_is_withdrawn() -> None:
    """Zero would say that the pool is closed."""
    prometheus = PrometheusBackend()
    metrics = Metrics([prometheus])

    metrics.set_limits("east", {"main": PoolStatus(instances_max=5, cores_max=8)})
    metrics.set_limits("east", {"main": PoolStatus(instances_max=5)})

    def limit(resource: str) -> float | None:
        return value(
            prometheus, "remuda_pool_limit", provider="east", pool="main", resource=resource
        )

    assert limit("instances") == 5
    assert limit("cores") is None


def test_a_duration_is_never_negative() -> None:
    """A wall clock that was set back does not spoil a sum."""
    prometheus = PrometheusBackend()
    Metrics([prometheus]).observe_request_wait("east", "small", -5.0)

    wait_s = value(prometheus, "remuda_request_wait_seconds_sum", provider="east", label="small")
    assert wait_s == 0


def test_launches_have_nodepools_statsd_names(statsd: Statsd) -> None:
    """A timing and a counter per name; a requestor's dots are no levels."""
    metrics = Metrics([StatsdBackend("127.0.0.1", statsd.port, "nodepool")])
    metrics.observe_launch(
        "east", "main", "small", az="az1", result="error.ssh", seconds=1.5, requestor="zuul.example"
    )

    keys = ("launch", "launch.provider.east", "launch.provider.east.az1")
    expected = {f"nodepool.{key}.error.ssh" for key in keys}
    expected.add("nodepool.launch.requestor.zuul_example.error.ssh")
    lines = statsd.lines()
    assert {f"{name}:1500.000000|ms" for name in expected} | {
        f"{name}:1|c" for name in expected
    } == set(lines)


def test_a_launch_without_zone_or_requestor_leaves_those_names_out(statsd: Statsd) -> None:
    """No name has an empty part."""
    metrics = Metrics([StatsdBackend("127.0.0.1", statsd.port, "nodepool")])
    metrics.observe_launch("east", "main", "small", az=None, result="ready", seconds=1)

    names = {line.partition(":")[0] for line in statsd.lines()}

    assert {"nodepool.launch.ready", "nodepool.launch.provider.east.ready"} == names


def test_node_gauges_are_summed_per_name_and_sent_when_they_change(statsd: Statsd) -> None:
    """Sums over pools and labels, zeros for emptied states, repeats only after a while."""
    clock = ManualClock()
    metrics = Metrics([StatsdBackend("127.0.0.1", statsd.port, "nodepool", clock=clock)])
    counts = {("east", "a", "small", "ready"): 2, ("east", "b", "big", "ready"): 3}

    metrics.set_nodes(counts)
    first = statsd.lines()
    metrics.set_nodes(counts)
    unchanged = statsd.lines()
    metrics.set_nodes({("east", "a", "small", "ready"): 2})
    emptied = statsd.lines()
    clock.at_s += REPEAT_S
    metrics.set_nodes({("east", "a", "small", "ready"): 2})
    repeated = statsd.lines()

    assert "nodepool.provider.east.nodes.ready:5|g" in first
    assert "nodepool.provider.east.label.small.nodes.ready:2|g" in first
    assert "nodepool.provider.east.nodes.deleting:0|g" in first
    assert unchanged == []
    assert {
        "nodepool.provider.east.nodes.ready:2|g",
        "nodepool.provider.east.label.big.nodes.ready:0|g",
    } == set(emptied)
    assert sorted(first) != sorted(repeated)
    assert len(first) == len(repeated)


def test_other_nodepool_names_are_kept(statsd: Statsd) -> None:
    """Limits, addressable requests, leaks and API calls."""
    say_everything(Metrics([StatsdBackend("127.0.0.1", statsd.port, "nodepool")]))

    lines = statsd.lines()

    assert "nodepool.provider.east.max_servers:10|g" in lines
    assert "nodepool.provider.east.pool.main.addressable_requests:2|g" in lines
    assert "nodepool.provider.east.leaked.instances:2|c" in lines
    assert "nodepool.task.east.compute.GET.servers:1|c" in lines


def test_what_would_break_the_protocol_is_replaced(statsd: Statsd) -> None:
    """A colon, a bar or a line feed in somebody's name cannot forge another metric."""
    backend = StatsdBackend("127.0.0.1", statsd.port, "nodepool")
    Metrics([backend]).count_leaked("ea:st|g\nx", "instances")

    assert statsd.lines() == ["nodepool.provider.ea_st_g_x.leaked.instances:1|c"]


def test_a_statsd_host_that_nobody_knows_is_no_error() -> None:
    """Metrics never stop a daemon."""
    backend = StatsdBackend("no-such-host.invalid", 8125, "nodepool")
    say_everything(Metrics([backend]))
    backend.close()


def test_without_statsd_only_prometheus_is_fed() -> None:
    """The configuration decides."""
    instruments = build_instruments(None)
    instruments.metrics.count_session_lost()

    assert value(instruments.prometheus, "remuda_sessions_lost_total") == 1


def test_a_build_that_nobody_took_has_no_duration() -> None:
    """It was superseded; that is counted all the same."""
    instruments = build_instruments(None)
    instruments.metrics.observe_image_build("base", "", "superseded", None)
    labels = {"image": "base", "provider": "", "result": "superseded"}

    assert value(instruments.prometheus, "remuda_image_builds_total", **labels) == 1
    assert value(instruments.prometheus, "remuda_image_build_seconds_count", **labels) is None


def test_uploads_of_every_state_are_told() -> None:
    """Those that there are none of are zero, not absent."""
    instruments = build_instruments(None)
    instruments.metrics.set_images(
        ages_s={},
        age_limits_s={},
        generations={},
        canaries={},
        uploads={("base", "usable"): 2},
        alarms={},
    )

    states = {"usable": 2, "failed": 0, "deleting": 0}
    for state, count in states.items():
        found = value(instruments.prometheus, "remuda_image_uploads", image="base", state=state)
        assert found == count
