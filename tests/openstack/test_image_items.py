"""What images have beside their way, on a real OpenStack: statements, nights, trials, captures."""

import json
import shutil
from collections.abc import Iterator
from typing import Any, Final

import pytest

from remuda.model import tags
from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_image_provenance import make_keys, state
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
from tests.openstack.lab.seed import MINIMAL_IMAGE
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage
from tests.support.stage import Doc

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

CAPTURED: Final = "oneiric"
#: So few launches decide: all requests are given what is tried.
_TRIED: Final = {"canary": {"share": "100%", "good": "10%", "bad": "60%"}}
_MACHINES: Final = 3
#: The lab writes the address of each machine into its sshd's configuration.
_USUAL: Final = {"inventory-ignore": ["/etc/ssh/lab_sshd_config"]}
_NIGHTS: Final = {"schedule": {"max-age": "1m", "jitter": "1m"}, "start-from": "current"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give one project with its launcher, a builder that signs, and two images."""
    if shutil.which("openssl") is None:
        pytest.skip("keys are made with openssl, which is not here")
    with open_lab_stage(tmp_path_factory, "items") as made:
        made.account("lab")
        make_keys(made.folder)
        made.config["image-signing"] = {
            "key-file": "signing.pem",
            "public-key-file": "signing.pub",
        }
        made.label("ours", checks=[CHECK])
        made.label("job")
        boots(made, "alpha", "lab", ("ours",))
        pool = made.config["providers"]["alpha"]["pools"]["main"]
        bare = {"image": MINIMAL_IMAGE, "flavor": "m1.tiny", "username": "debian"}
        pool["labels"]["job"] = {**pool["labels"]["ours"], **bare}
        rule = {"labels": ["job"], "requestors": ["ci-.*"]}
        made.config.setdefault("images", {})[CAPTURED] = {
            "capture": rule,
            "flavor": "m1.tiny",
            "username": "debian",
            "connection-port": made.lab.ssh_port,
        }
        recipe(made, proof("first"), **_USUAL)
        made.launcher("alpha", wait=False)
        builder(made)
        yield made


def verified(stage: LabStage, build_id: str) -> Doc:
    """Return what `verify` says of a build, whatever the recipe is by now."""
    done = stage.remuda("image", "verify", build_id, "--any-recipe", "--json")
    doc: Doc = json.loads(done.stdout)
    assert done.returncode == {True: 0, False: 1, None: 2}[doc["verified"]], done.stderr
    return doc


def test_a_build_is_what_is_stated_of_it(stage: LabStage) -> None:
    """Glance tells the hash that is signed; and a property that somebody changes is found."""
    await_current(stage, 1, "alpha")
    doc = verified(stage, f"{IMAGE}/1")
    assert {one["result"] for one in doc["compared"]} == {"same"}, doc
    assert {one["of"] for one in doc["compared"]} >= {"signature", "image", "property"}

    (image,) = stage.lab.images("lab")
    before = (build(stage, 1, "built") or {})["statement"]
    assert image.properties[tags.STATEMENT] == before
    state(stage, "lab", image.id, "0" * 64)
    wrong = [one["of"] for one in verified(stage, f"{IMAGE}/1")["compared"] if one["why"]]
    state(stage, "lab", image.id, before)
    assert wrong == ["property"]
    assert verified(stage, f"{IMAGE}/1")["verified"] is True


def test_a_night_without_a_change_uploads_nothing(stage: LabStage) -> None:
    """It starts from what is current, comes to the same, and no snapshot is asked for."""
    recipe(stage, proof("first"), **_USUAL, **_NIGHTS)
    same = stage.until(lambda: build(stage, 2, "same"), "the first night", 60.0 + BUILD_S)
    assert same is not None
    # No more nights: what comes is by another recipe.
    recipe(stage, proof("second"), **_USUAL, **_TRIED)

    assert (same["parent"], same["same_as"]) == (f"{IMAGE}/1", 1)
    assert stage.children(paths.uploads(BuildId(IMAGE, 2))) == []
    assert [one.name for one in stage.lab.images("lab")] == [
        (build(stage, 1, "built") or {})["cloud_name"]
    ]
    said = stage.remuda("image", "diff", f"{IMAGE}/1", f"{IMAGE}/2")
    assert "the same as in build 1" in said.stdout, said.stderr
    assert verified(stage, f"{IMAGE}/2")["verified"] is None


def test_a_newer_build_is_tried_before_it_becomes_current(stage: LabStage) -> None:
    """By its launches; and what is other in it than before is said."""
    number = stage.until(lambda: _tried(stage), "a newer build to be tried", BUILD_S)
    assert number is not None
    assert current(stage, "alpha") == 1
    for _ in range(_MACHINES + 2):
        if current(stage, "alpha") == number:
            break
        ran = stage.remuda("run", "ours", "--quiet", "--", "grep -q second /srv/proof")
        assert ran.returncode == 0, ran.stderr
    await_current(stage, number, "alpha", deadline_s=BOOTED_S)

    said = stage.remuda("image", "diff", f"{IMAGE}/1", f"{IMAGE}/{number}", "--json")
    changed = {(one["kind"], one["name"]) for one in json.loads(said.stdout)["differences"]}
    assert ("folder", "/srv") in changed, said.stdout


def test_a_jobs_machine_becomes_an_image(stage: LabStage) -> None:
    """Of a machine that its holder keeps until it gives it back; stated and verified as any."""
    me = ("--requestor", "ci-1")
    taken = stage.remuda("request", "job", "--wait", "--detach", "--keep", "20m", *me)
    assert taken.returncode == 0, taken.stderr
    node = taken.stdout.split()[0]
    script = "sudo sh -c 'echo of the job >/srv/left'"
    left = stage.remuda("ssh", node, *me, "--", script)
    assert left.returncode == 0, left.stderr

    captured = stage.remuda("image", "capture", node, "--as", CAPTURED, "--wait", *me)
    assert captured.returncode == 0, captured.stdout + captured.stderr
    assert stage.nodes("in-use", "job")[node]
    made = build(stage, 1, "built", name=CAPTURED) or {}
    assert (made["captured"]["node"], made["captured"]["requestor"]) == (node, "ci-1")
    assert list(uploads(stage, 1, CAPTURED)) == ["native"]
    assert current(stage, "alpha", CAPTURED) == 1
    doc = verified(stage, f"{CAPTURED}/1")
    assert not [one for one in doc["compared"] if one["result"] == "differs"], doc
    assert stage.remuda("release", node, *me).returncode == 0
    stage.until(lambda: node not in stage.nodes(), "the node to be deleted", BOOTED_S)


def _tried(stage: LabStage) -> int | None:
    """Return the number of the build that is tried."""
    found: dict[str, Any] | None = stage.read(paths.pointer(IMAGE, "alpha"))
    return None if found is None else found.get("canary")
