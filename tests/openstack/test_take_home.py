"""A failed machine of one project, taken home, boots in another one of a real OpenStack."""

import json
from collections.abc import Iterator

import pytest

from remuda.store import paths
from tests.openstack.imagestages import BUILD_S, builder
from tests.openstack.lab.seed import MINIMAL_IMAGE
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give two projects, a launcher of the first, and a builder."""
    with open_lab_stage(tmp_path_factory, "take-home") as made:
        made.account("lab")
        made.account("lab-other")
        making = {"image": MINIMAL_IMAGE, "flavor": "m1.tiny", "username": "debian"}
        made.provider("alpha", "lab", labels={"job": making})
        made.config["holds"] = {"snapshots": {}}
        made.launcher("alpha")
        builder(made)
        yield made


def test_the_image_of_a_failed_machine_boots_in_another_project(stage: LabStage) -> None:
    """Its quota is free; shared, with its end on it; deleted when it is given back."""
    ran = stage.remuda("run", "job", "--hold-on-failure=1h", "--", "sh", "-c", "exit 3")
    assert ran.returncode == 3, ran.stderr
    (node,) = stage.nodes("hold")
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
    assert stage.remuda("release", node).returncode == 0
    stage.until(
        lambda: stage.read(f"{paths.TAKE_HOME}/{node}") is None, "its record to go", BUILD_S
    )
    assert stage.lab.images("lab") == []
