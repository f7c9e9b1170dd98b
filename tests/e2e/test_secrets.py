"""A real machine prints all it knows while it fails: nothing of it is kept or shown."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from requestor import Client, RequestFailedError
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: Prints its own host key, line by line and without a word that says what it is, and tokens.
_BLAB = """
REGISTRY_TOKEN=kw-of-the-registry
echo "logged in with $REGISTRY_TOKEN"
printf '\\033[31m%s\\033[0m\\n' "$REGISTRY_TOKEN"
grep -hv PRIVATE /etc/ssh/ssh_host_*_key | sed 's/^/[  1.0] init: /'
echo "OS_PASSWORD=planted-as-a-form"
exit 3
"""
#: The last is how every unencrypted key of OpenSSH begins.
_SECRETS = ("kw-of-the-registry", "planted-as-a-form", "b3BlbnNzaC1rZXktdjE")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider with one label, whose machines cannot keep anything to themselves."""
    with open_stage(tmp_path_factory, "secrets") as made:
        made.cloud("a", quota={"instances": 10, "cores": 20, "ram": 40000})
        made.label("blabbing", setup={"inline": _BLAB})
        made.provider("alpha", "a", labels=("blabbing",), launch_attempts=2)
        made.launcher("alpha")
        yield made


def failures(stage: Stage, *words: str) -> str:
    """Return what `remuda failures` prints."""
    hosts = ",".join(stage.server.hosts)
    command = [sys.executable, "-m", "remuda", "--zookeeper", hosts, "failures", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SERVED_S, check=True)
    return done.stdout + done.stderr


def znodes(stage: Stage) -> dict[str, str]:
    """Return all that is stored."""
    found: dict[str, str] = {}
    walk = ["/"]
    while walk:
        path = walk.pop()
        found[path] = stage.zk.get(path)[0].decode(errors="replace")
        walk += [f"{path.rstrip('/')}/{name}" for name in stage.children(path)]
    return found


def test_what_a_machine_says_of_its_secrets_is_kept_nowhere(stage: Stage, client: Client) -> None:
    """Neither in ZooKeeper nor in a log nor on a terminal; that it said something is."""
    with pytest.raises(RequestFailedError) as caught:
        client.request("blabbing").wait(SERVED_S)
    stage.until(lambda: len(stage.failures("alpha")) == 2, "the evidence of both attempts")
    evidence: list[dict[str, Any]] = list(stage.failures("alpha").values())
    shown = {process.name: process.text() for process in stage.processes} | znodes(stage)
    shown |= {"error": str(caught.value), "json": failures(stage, "--json")}
    shown["evidence"] = failures(stage, evidence[0]["node"])

    for secret in _SECRETS:
        assert [place for place, text in shown.items() if secret in text] == []
    for text in (evidence[0]["transcript"][-1]["output"], shown["evidence"]):
        assert "logged in with [redacted]" in text
        assert "OS_PASSWORD=[redacted]" in text
        assert "init: [redacted]\n" in text
