"""Clouds in trouble: refused, broken, throttling, locked out; and who serves meanwhile."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from requestor import Client
from tests.support.stage import SERVED_S, Stage, two_providers

pytestmark = [
    *(pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk),
    pytest.mark.usefixtures("recovered"),
]

_LAUNCHER = (sys.executable, "-m", "launcher")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two providers; alpha is preferred."""
    alpha, beta = {"api_timeout": 3}, {"priority": 200, "api_timeout": 3}
    with two_providers(tmp_path_factory, "trouble", alpha=alpha, beta=beta) as made:
        yield made


@pytest.mark.parametrize(
    ("effect", "word"),
    [
        ({"kind": "http", "status": 500}, "500"),
        ({"kind": "http", "status": 503}, "503"),
        ({"kind": "http", "status": 429, "retry_after": 1}, "429"),
        ({"kind": "drop"}, ""),
        ({"kind": "http", "status": 401}, "credentials"),
    ],
    ids=["500", "503", "429", "dropped", "unauthorised"],
)
def test_a_broken_cloud_says_so_and_the_other_serves(
    stage: Stage, client: Client, effect: dict[str, object], word: str
) -> None:
    """The status names the trouble; requests go elsewhere, the verdict of alpha tells why (I4)."""
    cloud = stage.clouds["a"]
    cloud.fault("*", match={"service": "compute"}, **effect)
    trouble = stage.until(lambda: stage.status("alpha").get("trouble"), "alpha to notice")
    with client.request("small", deadline_s=SERVED_S) as nodes:
        provider = nodes[0].provider
    waiting = client.request("only-a")
    verdict = stage.until(lambda: stage.verdict("alpha", waiting.id), "a verdict")
    cloud.heal()
    with waiting as nodes:
        served = nodes[0].provider

    assert word in trouble
    assert provider == "beta"
    assert verdict["ruling"] == "waiting"
    assert verdict["reason"].startswith("the cloud is out of service")
    assert served == "alpha"


def test_a_full_account_is_not_asked_again_and_again(stage: Stage, client: Client) -> None:
    """One refusal teaches; the other provider serves what it can (I4, I12)."""
    cloud = stage.clouds["a"]
    refusal = cloud.fault("server.create", "quota")
    with client.request("small", deadline_s=SERVED_S) as nodes:
        provider = nodes[0].provider
    waiting = client.request("only-a")

    def refused() -> str | None:
        doc = stage.verdict("alpha", waiting.id)
        return doc["reason"] if doc and "refused" in doc["reason"] else None

    reason = stage.until(refused, "the verdict that tells of the refusal")
    fired = cloud.fired(refusal)
    cloud.heal()
    waiting.wait(SERVED_S)
    waiting.cancel()

    assert provider == "beta"
    assert reason.startswith("the cloud refused for lack of room")
    assert fired <= 3


def test_a_request_that_never_fits_fails_with_its_reason(stage: Stage, client: Client) -> None:
    """More machines at once than the quota would ever allow (I4)."""
    request = client.request({"only-a": 11})
    doc = stage.until(lambda: stage.read(f"/nodepool/requests/{request.id}"), "the request")
    done = stage.until(
        lambda: (stage.read(f"/nodepool/requests/{request.id}") or doc)["state"] == "failed",
        "the request to fail",
    )
    verdict = stage.verdict("alpha", request.id)
    request.cancel()

    assert done
    assert verdict is not None
    assert "11 nodes at once never fit" in verdict["reason"]


def test_a_bad_configuration_keeps_the_last_good_one(stage: Stage, client: Client) -> None:
    """It is reported in the status and the log; a good one with a new label is taken in."""
    alpha = stage.processes[0]
    stage.write("providers: [this is not\n")
    stage.until(lambda: stage.status("alpha").get("config_error"), "the complaint")
    with client.request("only-a", deadline_s=SERVED_S) as nodes:
        assert nodes[0].label == "only-a"
    main = stage.config["providers"]["alpha"]["pools"]["main"]
    main["labels"]["brand-new"] = {"image": "ubuntu-24.04", "flavor": "m1.small"}
    stage.config["labels"]["brand-new"] = {}
    stage.write()
    stage.until(
        lambda: "brand-new" in stage.status("alpha").get("labels", ()), "the new label to be known"
    )
    with client.request("brand-new", deadline_s=SERVED_S) as nodes:
        image = stage.nodes()[nodes[0].id]["image_id"]
    stage.until(lambda: not stage.status("alpha").get("config_error"), "the complaint to go")

    assert image == "ubuntu-24.04"
    assert alpha.events("config.invalid")


def test_sighup_reads_the_configuration_at_once(stage: Stage) -> None:
    """Even if the files look unchanged; the process goes on."""
    beta = stage.processes[1]
    before = len(beta.events("config.reloaded"))
    stage.config["labels"]["small"] = {"min-ready": 1}
    stage.write()
    beta.signal(signal.SIGHUP)
    stage.until(lambda: len(beta.events("config.reloaded")) > before, "the reload")
    # Two that read it in the same moment may both make one.
    stage.until(lambda: stage.free("small"), "a machine that is kept ready by now")
    stage.config["labels"]["small"] = {}
    stage.write()

    assert beta.alive


def test_a_wrong_configuration_at_start_is_refused(stage: Stage) -> None:
    """Exit code 2 and a sentence that names the place, no traceback."""
    path = stage.folder / "wrong.yaml"
    doc = json.loads(json.dumps(stage.config))
    doc["providers"]["alpha"]["prioritee"] = 1
    path.write_text(json.dumps(doc))
    done = subprocess.run(
        [*_LAUNCHER, "--provider", "alpha", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=SERVED_S,
        check=False,
    )

    assert done.returncode == 2
    assert "prioritee" in done.stderr
    assert "Traceback" not in done.stderr
