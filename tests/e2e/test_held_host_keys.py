"""A held machine shows a host key that nobody can read in its user data; everything real."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remuda.store import paths
from tests.e2e.test_keys import make_key, on, remuda
from tests.support.stage import Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

COMMAND_S = 90.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with its launcher, which has an authority."""
    with open_stage(tmp_path_factory, "hostkeys") as made:
        made.cloud("a", system="minimal")
        made.provider("alpha", "a", labels={"job": {"username": "debian"}})
        authority = make_key(made.folder / "ca")
        made.config["holds"] = {"certificates": {"ca-key-file": str(authority)}}
        made.launcher("alpha")
        yield made


def own_key(stage: Stage) -> Path:
    """Return a key of ada's."""
    file = stage.folder / "ada"
    return file if file.exists() else make_key(file)


def job(stage: Stage) -> str:
    """Take a machine, as a job does."""
    taken = remuda(stage, "request", "job", "--wait", "--detach", "--keep", "20m")
    assert taken.returncode == 0, taken.stderr
    return taken.stdout.split()[0]


def as_root(stage: Stage, node: str, script: str) -> str:
    """Run what a job does as root, with the login that its label has."""
    record = stage.read(paths.node(node))  # type: ignore[arg-type]
    assert record is not None
    words = [
        *("ssh", "-i", str(stage.key), "-o", "StrictHostKeyChecking=no"),
        *("-o", "UserKnownHostsFile=/dev/null", "-l", "debian", record["interface_ip"]),
        *("--", f"sudo sh -c '{script}'"),
    ]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def hold(stage: Stage, node: str) -> None:
    """Have it kept, and let it go."""
    kept = remuda(stage, "hold", node, "--reason", "unit tests hang", "--for", "1h")
    assert kept.returncode == 0, kept.stderr
    assert remuda(stage, "release", node, "--failed", "unit tests").returncode == 0


def change(stage: Stage, node: str) -> dict[str, Any]:
    """Return what the hold says of the host key, once that is settled."""
    found: dict[str, Any] = {}

    def settled() -> bool:
        launch = stage.read(f"{paths.launches('alpha')}/{node}")
        said = ((launch or {}).get("hold") or {}).get("host_key") or {}
        found.update(said)
        return said.get("step") in {"changed", "kept"}

    stage.until(settled, "the host key to be settled")
    return found


def shown(stage: Stage, node: str) -> set[str]:
    """Return the host keys that the machine shows to anybody."""
    record = stage.read(paths.node(node))  # type: ignore[arg-type]
    assert record is not None
    words = ["ssh-keyscan", "-T", "10", record["interface_ip"]]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_S, check=True)
    return {line.split(None, 1)[1] for line in ran.stdout.splitlines() if line[:1] != "#"}


def test_a_held_machine_has_a_host_key_of_its_own(stage: Stage) -> None:
    """The one of its user data, and what its job has added, open nobody's eyes any more."""
    node = job(stage)
    before = stage.read(paths.node(node))  # type: ignore[arg-type]
    assert before is not None
    # A job that adds a host key of its own, which it knows.
    more = 'ssh-keygen -q -t rsa -f /etc/ssh/ssh_host_rsa_key -N ""'
    more += " && echo HostKey /etc/ssh/ssh_host_rsa_key >>/run/sshd/config"
    as_root(stage, node, more)
    hold(stage, node)
    said = change(stage, node)
    assert said["step"] == "changed", said
    assert [said["key"]] != before["host_keys"]
    record = stage.read(paths.node(node))  # type: ignore[arg-type]
    launch = stage.read(f"{paths.launches('alpha')}/{node}")
    assert record is not None
    assert launch is not None
    assert record["host_keys"] == [said["key"]]
    assert launch["host_key"] == said["key"]
    assert shown(stage, node) == {said["key"]}
    assert "PRIVATE" not in json.dumps([record, launch])

    # People and the launcher go in by it.
    own = own_key(stage)
    added = remuda(stage, "key", "add", node, "--key", f"{own}.pub")
    assert added.returncode == 0, added.stderr
    assert on(stage, node, own, "id -un") == (0, "debian\n")
    assert on(stage, node, own, "ls /etc/ssh | grep -c remuda || true") == (0, "0\n")
    told = json.loads(remuda(stage, "holds", "--json").stdout)
    assert [one["host_key"] for one in told if one["node"] == node] == ["changed"]
    assert remuda(stage, "release", node).returncode == 0
    stage.until(lambda: node not in stage.nodes(), "the node to be deleted")


def test_a_machine_that_cannot_says_so_and_is_held_all_the_same(stage: Stage) -> None:
    """With the key that it has, and for its people as before."""
    node = job(stage)
    before = shown(stage, node)
    as_root(stage, node, "rm -f /usr/bin/ssh-keygen /usr/sbin/ssh-keygen")
    hold(stage, node)
    said = change(stage, node)
    assert said["step"] == "kept"
    assert "no ssh-keygen on the machine" in said["why"]
    assert shown(stage, node) == before
    assert "host key is kept" in remuda(stage, "holds").stdout
    own = own_key(stage)
    added = remuda(stage, "key", "add", node, "--key", f"{own}.pub")
    assert added.returncode == 0, added.stderr
    assert on(stage, node, own, "id -un") == (0, "debian\n")
    assert remuda(stage, "release", node).returncode == 0
