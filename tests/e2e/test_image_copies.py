"""An image that is built once, and carried to another cloud: proven there, and booted there."""

from collections.abc import Iterator

import pytest

from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_images import BUILD_S, builder
from tests.support.stage import Doc, Stage, open_stage

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two clouds, their launchers, and an image for both that is made in the first."""
    with open_stage(tmp_path_factory, "copies") as stage:
        for cloud, provider in (("a", "alpha"), ("b", "beta")):
            stage.cloud(cloud, system="minimal")
            stage.provider(provider, cloud, labels={"ours": {"image": {"built": "base"}}})
        step = {"command": "echo built >/srv/proof", "timeout": 20, "as-root": True}
        where = {"alpha": None, "beta": {"copy-from": "alpha"}}
        one = {"base": "debian-12", "flavor": "m1.small", "steps": [step], "providers": where}
        stage.config["images"] = {"base": one}
        for provider in ("alpha", "beta"):
            stage.launcher(provider)
        builder(stage)
        yield stage


def uploads(stage: Stage, number: int = 1) -> dict[str, Doc]:
    """Return the uploads of a build, by their method."""
    found = stage.records(paths.uploads(BuildId("base", number)))
    return {one["method"]: one for one in found.values() if one.get("method")}


def test_a_build_is_carried_and_proven_in_each_cloud(stage: Stage) -> None:
    """Each provider boots it once it has passed there."""
    for provider in ("alpha", "beta"):
        path = paths.pointer("base", provider)
        stage.until(lambda path=path: stage.read(path), f"{provider} to boot it", 2 * BUILD_S)  # type: ignore[misc]

    found = uploads(stage)
    assert {one["state"] for one in found.values()} == {"usable"}
    assert sorted(found) == ["carry", "native"]
    assert found["carry"]["verdicts"]["beta"]["verdict"] == "passed"
    assert stage.children(paths.builds("base")) == ["000001"]
