"""The status endpoint over real sockets of the loopback."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.sink import Metrics
from remuda.web.pages import PageSources, Readiness
from remuda.web.server import ListenError, PortInUseError, WebServer

ANSWER_S = 60.0  # what a test waits at most for an answer, on however slow a machine


def sources(
    *,
    ready: Readiness = Readiness(ok=True, reason="all is well"),  # noqa: B008 - frozen
    status: Callable[[], Mapping[str, Any]] = lambda: {"nodes": 3},
) -> PageSources:
    """Return what a small process would show."""
    prometheus = PrometheusBackend()
    Metrics([prometheus]).count_session_lost()
    return PageSources(
        title="launcher of <east>",
        metrics=prometheus.text,
        ready=lambda: ready,
        status=status,
    )


@pytest.fixture
def url() -> Iterator[str]:
    """Return where a server listens."""
    with WebServer(sources()) as server:
        yield server.url


def get(url: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_S) as reply:  # noqa: S310 - our own URL
            return reply.status, reply.headers["Content-Type"], reply.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.headers["Content-Type"], exc.read().decode()


def test_live_answers_as_long_as_the_process_does(url: str) -> None:
    """For supervisors that restart what hangs."""
    status, kind, body = get(f"{url}/live")

    assert (status, kind) == (200, "application/json")
    assert json.loads(body) == {"live": True}


def test_ready_says_why() -> None:
    """200 or 503, in both cases with the reason."""
    verdict = Readiness(ok=False, reason="ZooKeeper is away")

    with WebServer(sources()) as good, WebServer(sources(ready=verdict)) as bad:
        up, down = get(f"{good.url}/ready"), get(f"{bad.url}/ready")

    assert up[0] == 200
    assert json.loads(up[2]) == {"ready": True, "reason": "all is well"}
    assert down[0] == 503
    assert json.loads(down[2]) == {"ready": False, "reason": "ZooKeeper is away"}


def test_metrics_are_in_prometheus_text_format(url: str) -> None:
    """With the content type that Prometheus asks for."""
    status, kind, body = get(f"{url}/metrics")

    assert status == 200
    assert kind.startswith("text/plain; version=0.0.4")
    assert "remuda_sessions_lost_total 1.0" in body


def test_status_is_json_without_secrets() -> None:
    """Whatever the process puts in; what JSON cannot hold is shown as text."""
    status = {"password": "hunter2", "since": threading.Event, "nodes": {"ready": 3}}

    with WebServer(sources(status=lambda: status)) as server:
        _, _, body = get(f"{server.url}/status?x=1")

    assert json.loads(body)["nodes"] == {"ready": 3}
    assert "hunter2" not in body


def test_pages_are_safe_and_redacted_whatever_a_record_says() -> None:
    """A browser or a terminal shows them."""
    nasty = "\x1b[2J\u202e\ud800 password=hunter2hunter2 <script>"
    numbers = {"a": float("nan"), nasty: [nasty]}

    with WebServer(sources(ready=Readiness(ok=False, reason=nasty), status=lambda: numbers)) as web:
        pages = [get(f"{web.url}/{name}")[2] for name in ("ready", "status")]

    for page in pages:
        assert page.isascii()
        assert "hunter2" not in page
        assert "\x1b" not in page
        json.loads(page, parse_constant=pytest.fail)


def test_the_index_links_the_pages_and_escapes_its_title(url: str) -> None:
    """For people who only know the port."""
    status, _, body = get(url)

    assert status == 200
    assert "launcher of &lt;east&gt;" in body
    assert 'href="metrics"' in body


def test_other_paths_and_methods_are_refused(url: str) -> None:
    """Read only, and nothing else."""
    post = urllib.request.Request(f"{url}/live", method="POST")  # noqa: S310 - our own URL
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(post, timeout=ANSWER_S)  # noqa: S310 - our own URL

    assert get(f"{url}/etc/passwd")[0] == 404
    assert refused.value.code == 501


def test_head_has_no_body(url: str) -> None:
    """Load balancers ask so."""
    head = urllib.request.Request(f"{url}/live", method="HEAD")  # noqa: S310 - our own URL
    with urllib.request.urlopen(head, timeout=ANSWER_S) as reply:  # noqa: S310 - our own URL
        assert reply.status == 200
        assert reply.read() == b""


def test_a_port_in_use_is_said_in_one_sentence(url: str) -> None:
    """The operator learns which port, and what to do."""
    port = int(url.rpartition(":")[2])

    with pytest.raises(PortInUseError, match=f"^port {port} of 127.0.0.1 is in use") as failed:
        WebServer(sources(), port=port)

    assert "\n" not in str(failed.value)


def test_an_address_that_is_not_ours_is_an_error() -> None:
    """TEST-NET-1 belongs to no host."""
    with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
        WebServer(sources(), listen="192.0.2.1")


def test_stop_frees_the_port_at_once_and_twice_is_fine() -> None:
    """Another process can listen there immediately."""
    server = WebServer(sources())
    port = int(server.start().rpartition(":")[2])
    server.stop()
    server.stop()

    with WebServer(sources(), port=port) as again:
        assert get(f"{again.url}/live")[0] == 200


def test_stop_without_start_frees_the_port() -> None:
    """A process that failed between the two leaves nothing."""
    WebServer(sources()).stop()


def test_a_page_that_fails_harms_only_its_caller() -> None:
    """The next caller is served."""

    def broken() -> Mapping[str, Any]:
        raise LookupError("a bug")

    with WebServer(sources(status=broken)) as server:
        with pytest.raises((ConnectionError, urllib.error.URLError)):
            get(f"{server.url}/status")
        assert get(f"{server.url}/live")[0] == 200
