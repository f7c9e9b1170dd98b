"""Two providers: who serves when the preferred one cannot, and what everybody says meanwhile."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from requestor import Client
from tests.support.stage import SERVED_S, Stage, two_providers

pytestmark = [
    *(pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk),
    pytest.mark.usefixtures("healed"),
]

#: As many launches of its own may fail for a request, by default.
ATTEMPTS = 3
#: Long enough for any machine; a request that went nowhere would wait for ever.


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two providers; alpha is preferred."""
    alpha, beta = {"priority": 10}, {"priority": 200}
    with two_providers(tmp_path_factory, "two-providers", alpha=alpha, beta=beta) as made:
        yield made


def explain(stage: Stage, request: str) -> dict[str, dict[str, Any]]:
    """Return what `remuda explain` says, by provider."""
    hosts = ",".join(stage.server.hosts)
    command = [sys.executable, "-m", "remuda", "--zookeeper", hosts, "explain"]
    done = subprocess.run(
        [*command, request, "--json"], capture_output=True, text=True, timeout=SERVED_S, check=False
    )
    if done.returncode != 0:
        return {}
    return {one["provider"]: one for one in json.loads(done.stdout)["verdicts"]}


def test_what_the_preferred_cloud_refuses_the_other_serves(stage: Stage, client: Client) -> None:
    """Each refusal counts: few orders are tried, and the request goes where it can be served."""
    cloud = stage.clouds["a"]
    rule = cloud.fault("server.create", "http", status=400, text="Invalid key_name provided")
    with client.request("small", deadline_s=SERVED_S, provider="alpha") as nodes:
        provider = nodes[0].provider
    orders = cloud.fired(rule)
    alone = client.request("only-a")
    stage.until(
        lambda: (stage.read(f"/nodepool/requests/{alone.id}") or {}).get("state") == "failed",
        "the request that nobody else serves to fail",
        SERVED_S,
    )
    said = explain(stage, alone.id)["alpha"]
    alone.cancel()

    assert provider == "beta"
    assert 1 <= orders <= ATTEMPTS
    assert cloud.fired(rule) <= orders + ATTEMPTS
    assert said["ruling"] == "declined"
    assert "Invalid key_name provided" in said["reason"]


def test_what_another_has_taken_the_others_speak_of(stage: Stage, client: Client) -> None:
    """`explain` has a line for everybody while the machine is made; all go with the request.

    The last one here: machines that never come up are left.
    """
    for cloud in stage.clouds.values():
        cloud.fault("server.boot", "boot_hang")
    waiting = client.request("small")

    def all_said() -> list[dict[str, Any]] | None:
        said = explain(stage, waiting.id)
        told = len(said) == 2 and all(one["at_s"] for one in said.values())
        return sorted(said.values(), key=lambda one: one["ruling"]) if told else None

    said = stage.until(all_said, "both to speak", SERVED_S)
    waiting.cancel()
    stage.until(
        lambda: not any(stage.verdict(name, waiting.id) for name in ("alpha", "beta")),
        "their verdicts to go",
    )

    assert said is not None
    assert said[0]["ruling"] == "serving"
    assert said[1]["reason"].startswith("another provider has taken it")
