"""Machines held after a failed job, on a real OpenStack: their host key, and their images."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import pytest

from remuda.store import paths
from tests.openstack.imagestages import BUILD_S, builder
from tests.openstack.lab.seed import MINIMAL_IMAGE
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

#: What Nova sends to Glance of a snapshot.
_DATA: Final = {"service": "glance", "method": "PUT", "path": "/file", "internal": True}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give two projects, a launcher of the first, and a builder."""
    with open_lab_stage(tmp_path_factory, "holds") as made:
        made.account("lab")
        made.account("lab-other")
        making = {"image": MINIMAL_IMAGE, "flavor": "m1.tiny", "username": "debian"}
        made.provider("alpha", "lab", labels={"job": making})
        made.config["holds"] = {"snapshots": {}}
        made.launcher("alpha")
        builder(made)
        yield made


def held(stage: LabStage) -> str:
    """Let a job fail; return the node that is held for it."""
    before = set(stage.nodes("hold"))
    ran = stage.remuda("run", "job", "--hold-on-failure=1h", "--", "sh", "-c", "exit 3")
    assert ran.returncode == 3, ran.stderr
    (node,) = set(stage.nodes("hold")) - before
    return node


def own_key(stage: LabStage, node: str, but: str | None = None) -> dict[str, Any]:
    """Wait until a held machine shows a host key of its own; return what is on record of it.

    *but* is one that it had made before it was started anew.
    """
    found: dict[str, Any] = {}

    def settled() -> bool:
        launch = stage.read(f"{paths.launches('alpha')}/{node}") or {}
        found.update((launch.get("hold") or {}).get("host_key") or {})
        return found.get("key") != but and found.get("step") in {"changed", "kept"}

    stage.until(settled, "a host key of its own", BOOTED_S)
    return found


def shown(stage: LabStage, node: str) -> set[str]:
    """Return the host keys that a machine shows to anybody."""
    address = stage.nodes()[node]["interface_ip"]
    words = ["ssh-keyscan", "-T", "20", "-p", str(stage.lab.ssh_port), address]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=BOOTED_S, check=True)
    return {line.split(None, 1)[1] for line in ran.stdout.splitlines() if line[:1] != "#"}


def on(stage: LabStage, node: str, script: str) -> str:
    """Run a script on a machine, whose host key is known."""
    ran = stage.remuda("ssh", node, "--", script)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def gone(stage: LabStage, node: str) -> None:
    """Give a hold back; wait until nothing of it is there."""
    assert stage.remuda("release", node).returncode == 0
    stage.until(
        lambda: stage.read(f"{paths.TAKE_HOME}/{node}") is None, "its record to go", BUILD_S
    )
    stage.until(lambda: node not in stage.nodes(), "the machine to go", BOOTED_S)
    assert stage.lab.images("lab") == []


def test_the_image_of_a_failed_machine_boots_in_another_project(stage: LabStage) -> None:
    """Its quota is free; shared, with its end on it; deleted when it is given back."""
    node = held(stage)
    other = stage.lab.account("lab-other")
    project = other.current_project_id
    ran = stage.remuda(
        *("hold", node, "--snapshot", "--share-with", project, "--for", "1d", "--json"),
        timeout_s=BUILD_S,
    )
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert (answer["shared"], answer["trouble"]) == (True, None)
    stage.emptied()
    (image,) = stage.lab.images("lab")
    assert (image.id, image.visibility, image.is_hidden) == (answer["image"], "shared", False)
    assert image.properties["remuda_ends"]

    server = other.create_server(
        "failed", image=image.id, flavor="m1.tiny", network="public", wait=True, timeout=BOOTED_S
    )
    assert server.status == "ACTIVE"
    other.delete_server(server.id, wait=True)
    gone(stage, node)


def test_a_held_machine_shows_no_key_of_its_user_data_whatever_becomes_of_its_image(
    stage: LabStage,
) -> None:
    """Users of the machine can read that. Glance refuses the image: the hold is as it was."""
    node = held(stage)
    first = own_key(stage, node)
    assert first["step"] == "changed", first
    given = first["given"]
    assert shown(stage, node) == {first["key"]} != {given}

    rule = stage.lab.rule(**_DATA, status=413)
    ran = stage.remuda("hold", node, "--snapshot", timeout_s=BUILD_S)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert f"node {node} is not taken home" in ran.stderr
    assert "the hold is as it was" in ran.stderr
    assert stage.lab.hits(rule) > 0
    assert node in stage.nodes("hold")
    (machine,) = stage.lab.servers("lab")
    assert (machine.status, machine.task_state) == ("ACTIVE", None)
    assert on(stage, node, "id -un") == "debian"  # whichever of both it shows
    second = own_key(stage, node, first["key"])
    assert (second["step"], second["given"]) == ("changed", given), second
    assert shown(stage, node) == {second["key"]}
    assert second["key"] not in {given, first["key"]}
    assert on(stage, node, "id -un") == "debian"
    assert stage.lab.images("lab") == []

    # Once more, with a Glance that has room.
    stage.lab.drop(rule)
    ran = stage.remuda("hold", node, "--snapshot", "--json", timeout_s=BUILD_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert [one.id for one in stage.lab.images("lab")] == [json.loads(ran.stdout)["image"]]
    gone(stage, node)
