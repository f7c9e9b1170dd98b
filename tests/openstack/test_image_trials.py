"""Images on a real OpenStack in hard times: carried, with answers lost, refused as candidates."""

from collections.abc import Iterator

import pytest

from tests.openstack.imagestages import (
    BUILD_S,
    CHECK,
    await_current,
    boots,
    build,
    builder,
    current,
    proof,
    recipe,
    uploads,
)
from tests.openstack.stages import LabStage, open_lab_stage

pytestmark = [pytest.mark.openstack, pytest.mark.slow, pytest.mark.timeout(900)]

#: Nothing can be shared with another region; here it leads to the same Glance, as another project.
_BOTH = {"alpha": None, "gamma": {"copy-from": "alpha"}}
_SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give two clouds, as far as builders know, their launchers, and a builder."""
    with open_lab_stage(tmp_path_factory, "trials") as made:
        made.account("lab")
        made.account("lab-other")
        made.label("ours", checks=[CHECK])
        boots(made, "alpha", "lab", ("ours",))
        boots(made, "gamma", "lab-other", ("ours",), region="RegionTwo")
        recipe(made, proof("first"), providers=_BOTH)
        (made.folder / "secret").write_text(_SECRET)
        (made.folder / "secret").chmod(0o600)
        for provider in ("alpha", "gamma"):
            made.launcher(provider, wait=False)
        yield made


def test_an_image_is_carried_though_answers_are_lost(stage: LabStage) -> None:
    """Of the stop and of the snapshot, once each; and Glance fails when it is to be hidden."""
    action = {"service": "nova", "method": "POST", "path": "/action"}
    lost = stage.lab.rule(**action, drop=True, late=True, times=2)
    failing = stage.lab.rule(service="glance", method="PATCH", status=503, times=1)
    builder(stage)

    await_current(stage, 1, "alpha", "gamma", deadline_s=3 * BUILD_S)
    found = uploads(stage, 1)
    (here,), (there,) = stage.lab.images("lab"), stage.lab.images("lab-other")

    assert (stage.lab.hits(lost), stage.lab.hits(failing)) == (2, 1)
    assert (build(stage, 1, "built") or {})["attempt"] == 0
    assert found["native"]["cloud_image"] == here.id
    assert found["carry"]["cloud_image"] == there.id
    assert found["carry"]["verdicts"]["gamma"]["verdict"] == "passed"
    assert here.hash_value == there.hash_value
    assert (here.is_hidden, there.is_hidden) == (True, True)


def test_a_secret_in_a_file_is_refused_before_a_snapshot_is_taken(stage: LabStage) -> None:
    """The file is named, the value nowhere."""
    step = {
        "command": "echo $TOKEN >/srv/settings", "timeout": 20, "as-root": True,
        "secrets": ["TOKEN"],
    }  # fmt: skip
    secrets = {"TOKEN": {"file": str(stage.folder / "secret")}}
    recipe(stage, step, providers=_BOTH, secrets=secrets)

    failed = stage.until(lambda: build(stage, 2, "failed"), "the build to fail", BUILD_S)

    assert failed is not None
    assert failed["failure"]["blame"] == "residue"
    assert "/srv/settings" in failed["failure"]["message"]
    assert _SECRET not in str(failed)
    assert len(stage.lab.images("lab")) == 1


def test_a_candidate_that_fails_is_rejected(stage: LabStage) -> None:
    """What the label's check wants is not in it: three machines on the one host say so."""
    recipe(stage, {"command": "true", "timeout": 20}, providers=_BOTH)

    def rejected() -> bool:
        return "rejected" in {one["state"] for one in uploads(stage, 3).values()}

    stage.until(rejected, "the candidate to be rejected", 3 * BUILD_S)
    trial = uploads(stage, 3)["native"]["verdicts"]["alpha"]

    assert trial["verdict"] == "failed"
    assert len(set(trial["hosts"])) == 1
    assert (current(stage, "alpha"), current(stage, "gamma")) == (1, 1)
