"""A cloud whose machines run and let nobody in: seen while it goes on, left at once, and failed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remuda.store import paths
from requestor import Client
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: What is slow is written down after 5 s; nobody is late at first.
PATIENT_S = 1200.0
LOGIN_S = 20.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two providers; the network of the preferred one is dead, and it is alone for now."""
    with open_stage(tmp_path_factory, "silent") as made:
        for name in ("a", "b"):
            made.cloud(name)
        made.provider("alpha", "a", priority=1, launch_timeout=1200, login_timeout=PATIENT_S)
        made.provider("beta", "b", priority=100)
        made.clouds["a"].fault("server.boot", "ssh", mode="blackhole")
        made.launcher("alpha")
        yield made


def shown(stage: Stage, *words: str) -> str:
    """Return what a command prints."""
    command = [sys.executable, "-m", "remuda", "--zookeeper", ",".join(stage.hosts), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SERVED_S)
    return done.stdout


def test_a_dead_network_is_seen_while_it_goes_on(stage: Stage, client: Client) -> None:
    """Then the request goes elsewhere as one, and in the end its machines have failed."""
    pending = client.request({"small": 3})

    def slow() -> dict[str, Any] | None:
        found = stage.records(paths.launches("alpha"))
        return found if sum("proof_step" in one for one in found.values()) == 3 else None

    found = stage.until(slow, "three machines to be slow") or {}
    nodes = {one["id"]: one for one in json.loads(shown(stage, "nodes", "--json"))}
    table, why = shown(stage, "nodes"), shown(stage, "explain", pending.id)

    for name in found:
        making = nodes[name]["making"]
        assert (making["step"], making["part"]) == ("proving", "connect")
        assert f"node {name} in alpha, proving: no answer on port 22 for " in why
    assert table.count("proving: no answer on port 22 for ") == 3

    stage.launcher("beta")
    stage.config["providers"]["alpha"]["login-timeout"] = LOGIN_S
    stage.write()
    status = stage.until(
        lambda: stage.status("alpha").get("labels", {}).get("small", {}).get("broken"),
        "alpha to say that it is not to be counted on",
    )
    with client.request("small", deadline_s=SERVED_S) as other:
        assert other[0].provider == "beta"
    pending.wait(SERVED_S)
    with pending.accept() as got:
        assert {one.provider for one in got} == {"beta"}
    reports = stage.until(
        lambda: len(stage.failures("alpha")) >= 3 and stage.failures("alpha"),
        "three failures",
        LOGIN_S + 60.0,
    )

    assert "let nobody in" in status or "launches in a row failed" in status
    assert found.keys() <= reports.keys()
    for name in found:
        assert reports[name]["result"] == "error.network"
        why = reports[name]["why"]
        assert why.startswith("it runs, but nobody could log in for 20 s; connect: ")
