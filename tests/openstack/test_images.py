"""Images on a real OpenStack: built, shared, proven, swapped in, refused, and taken back."""

from collections.abc import Iterator

import pytest

from remuda.model import tags
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.store import paths
from requestor import connect
from tests.openstack.imagestages import (
    BUILD_S,
    CHECK,
    IMAGE,
    await_current,
    boots,
    build,
    builder,
    current,
    proof,
    recipe,
    uploads,
)
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

#: The second project of the cloud boots what is made in the first.
_WHERE = {"alpha": None, "beta": {"copy-from": "alpha"}}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give two projects, their launchers, one image for both, and a builder."""
    with open_lab_stage(tmp_path_factory, "images") as made:
        made.account("lab")
        made.account("lab-other")
        made.label("ours", min_ready=1, checks=[CHECK])
        boots(made, "alpha", "lab", ("ours",))
        boots(made, "beta", "lab-other", ("ours",))
        recipe(made, proof("first"), providers=_WHERE)
        for provider in ("alpha", "beta"):
            made.launcher(provider, wait=False)
        builder(made)
        yield made


def test_an_image_is_built_shared_proven_and_booted(stage: LabStage) -> None:
    """One snapshot, hidden, for two projects; both have booted it before anybody gets it."""
    await_current(stage, 1, "alpha", "beta")
    found = uploads(stage, 1)
    (node,) = stage.ready_nodes("ours", 1, BOOTED_S).items()
    (image,) = stage.lab.images("lab")
    booted = {one.image.id for cloud in stage.clouds.values() for one in cloud.details()}
    metadata = [one.metadata for cloud in stage.clouds.values() for one in cloud.details()]

    assert sorted(found) == ["native", "share"]
    assert {one["cloud_image"] for one in found.values()} == {image.id}
    assert image.is_hidden
    assert image.status == "active"
    assert stage.lab.images("lab-other") == []
    assert booted == {image.id}
    assert {one[tags.BOOTED] for one in metadata} == {f"{IMAGE}/1"}
    assert node[1]["state"] == "ready"


def test_a_new_build_takes_over_while_nodes_are_asked_for(stage: LabStage) -> None:
    """Every request is served, by the old build till the pointer moves, then by the new one."""
    recipe(stage, proof("second"), providers=_WHERE)
    served = [f"{IMAGE}/1"]
    with connect(stage.server.hosts) as client:
        # Ready nodes of the old build are good, and are handed out first.
        while served[-1] != f"{IMAGE}/2":
            with client.request("ours", deadline_s=BUILD_S) as nodes:
                served.append(_build(stage, nodes[0].id))
    await_current(stage, 2, "alpha", "beta")
    pointers = [stage.read(paths.pointer(IMAGE, one)) or {} for one in ("alpha", "beta")]

    assert served.count(f"{IMAGE}/1") > 1
    assert [(one["current"], one["previous"]) for one in pointers] == [(2, 1)] * 2


def test_a_build_that_fails_is_refused(stage: LabStage) -> None:
    """It says at which step, and whose fault that was; what is booted stays."""
    recipe(stage, {"name": "break", "command": "exit 3", "timeout": 20}, providers=_WHERE)

    failed = stage.until(lambda: build(stage, 3, "failed"), "the build to fail", BUILD_S)

    assert failed is not None
    assert failed["failure"]["blame"] == "recipe"
    assert "break" in failed["failure"]["step"]
    assert (current(stage, "alpha"), current(stage, "beta")) == (2, 2)


def test_one_command_rolls_back(stage: LabStage) -> None:
    """In all projects at once; ready nodes of the bad build are replaced."""
    done = stage.remuda("image", "rollback", IMAGE, "--why", "no mirror")

    assert done.returncode == 0, done.stderr
    assert (current(stage, "alpha"), current(stage, "beta")) == (1, 1)
    stage.until(lambda: _all_boot(stage, 1), "nodes of the first build", BOOTED_S)


def _build(stage: LabStage, node: NodeId) -> str:
    """Return the build that a node says it is of."""
    return str((stage.read(paths.node(node)) or {}).get("image_id"))


def _all_boot(stage: LabStage, number: int) -> bool:
    """Whether the free nodes, of which there is one at least, are of a build."""
    found = {one["image_id"] for one in stage.free("ours").values()}
    return found == {str(BuildId(IMAGE, number))}
