"""Deaths in the middle of a build on a real OpenStack: of its builder, and of a launcher."""

from collections.abc import Iterator

import pytest

from remuda.store import paths
from tests.openstack.imagestages import (
    BUILD_S,
    await_current,
    boots,
    build,
    builder,
    proof,
    recipe,
    uploads,
)
from tests.openstack.lab.control import slowly
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage

pytestmark = [pytest.mark.openstack, pytest.mark.chaos, pytest.mark.timeout(600)]

_MAKES = {"remuda_label": "make/base"}


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give one provider with an image; each test starts and kills its own processes."""
    with open_lab_stage(tmp_path_factory, "deaths") as made:
        made.account("lab")
        boots(made, "alpha", "lab", ("ours",))
        recipe(made, proof("built"))
        yield made


def test_launcher_and_builder_die_in_the_middle_of_a_build(stage: LabStage) -> None:
    """With kill -9: another launcher adopts the build machine, another builder begins anew."""
    stage.lab.rule(boot={"spawn": "12"}, metadata=_MAKES, times=1)
    recipe(stage, {"command": "until [ -e /srv/go ]; do sleep 0.2; done", "timeout": 300})
    first, making = stage.launcher("alpha"), builder(stage)
    stage.until(lambda: _launches(stage), "the build machine to boot", BOOTED_S)
    second = stage.launcher("alpha")
    first.kill()
    (launch,) = _launches(stage)
    begun = stage.until(lambda: _node(stage, 1), "a step of the build", BUILD_S)
    recipe(stage, proof("built"))
    making.kill()
    following = builder(stage)

    await_current(stage, 2, "alpha")
    lost = build(stage, 1, "superseded")

    assert begun == launch
    assert launch in {event["node"] for event in second.events("node.adopted")}
    assert lost is not None
    assert lost["attempt"] == 1
    assert "lost.builder" in {event["result"] for event in following.events("build.ended")}
    assert [one.name for one in stage.lab.images("lab")] == [_snapshot(stage, 2)]
    stage.emptied()
    assert following.alive


@pytest.mark.slow
def test_a_whole_snapshot_of_a_dead_builder_is_used(stage: LabStage) -> None:
    """Killed before it knew; what it had not hidden, another builder hides."""
    # Longer than the snapshot takes: its machine goes with the builder's session.
    stage.config["zookeeper"]["session-timeout"] = 20
    stage.lab.rule(boot={"snapshot": "4"}, metadata=_MAKES, times=1)
    unhideable = stage.lab.rule(service="glance", method="PATCH", status=503)
    stage.launcher("alpha")
    making = builder(stage)
    (image,) = stage.until(slowly(lambda: stage.lab.images("lab")), "the snapshot", BUILD_S)
    making.freeze()
    asked = build(stage, 1, "snapshotting")
    stage.until(slowly(lambda: _status(stage) == "active"), "the snapshot to be whole", BOOTED_S)
    making.kill()
    (shown,) = stage.lab.images("lab")
    stage.lab.drop(unhideable)
    builder(stage)

    await_current(stage, 1, "alpha", deadline_s=600)
    made = build(stage, 1, "built") or {}
    (left,) = stage.lab.images("lab")

    assert asked is not None
    assert made["attempt"] == asked["attempt"]
    assert made["snapshot"] == left.id == image.id
    assert left.name == asked["cloud_name"]
    assert (shown.is_hidden, left.is_hidden) == (False, True)
    assert uploads(stage, 1)["native"]["size_bytes"] == left.size


def _launches(stage: LabStage) -> list[str]:
    """Return the build machines that boot, or run."""
    found = stage.records(paths.launches("alpha"))
    steps = ("booting", "proving", "done")
    return [name for name, doc in found.items() if doc["step"] in steps]


def _node(stage: LabStage, number: int) -> str | None:
    """Return the machine of a build, once it is logged in to."""
    return (build(stage, number, "building") or {}).get("node")


def _snapshot(stage: LabStage, number: int) -> str | None:
    return (build(stage, number, "built") or {}).get("cloud_name")


def _status(stage: LabStage) -> str:
    (image,) = stage.lab.images("lab")
    return str(image.status)
