"""An image that is captured in one cloud comes to the other: wherever the job's machine was."""

from collections.abc import Iterator

import pytest

from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_capture import CAPTURE_S, IMAGE, capture, on, remuda, take
from tests.e2e.test_images import builder
from tests.support.stage import Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give two clouds that share nothing, of which only the second has jobs to capture."""
    with open_stage(tmp_path_factory, "capture-copies") as made:
        ours = {"ours": {"image": {"built": IMAGE}}}
        for cloud, provider, labels in (("a", "alpha", ours), ("b", "beta", {**ours, "job": {}})):
            made.cloud(cloud, system="minimal")
            made.provider(provider, cloud, labels=labels)
        rule = {"labels": ["job"], "requestors": ["ci-1"]}
        made.config["images"] = {IMAGE: {"capture": rule, "flavor": "m1.small"}}
        for provider in ("alpha", "beta"):
            made.launcher(provider)
        builder(made)
        yield made


def test_it_is_current_everywhere_though_made_in_the_last(stage: Stage) -> None:
    """No configuration says where: the machine does."""
    node = take(stage)
    on(stage, node, "sudo sh -c 'echo from beta >/srv/left'")
    code, said = capture(stage, node, "--wait", "--timeout", f"{CAPTURE_S:g}s")
    assert code == 0, said
    found = stage.read(paths.build(BuildId(IMAGE, 1)))
    assert found is not None
    assert (found["provider"], found["group"]) == ("beta", ["alpha", "beta"])
    methods = {doc["method"] for doc in stage.records(paths.uploads(BuildId(IMAGE, 1))).values()}
    assert methods == {"native", "carry"}
    assert remuda(stage, "release", node).returncode == 0

    there = remuda(stage, "request", "ours", "--provider", "alpha", "--wait", "--detach")
    assert there.returncode == 0, there.stderr
    again = there.stdout.split()[0]
    assert stage.nodes()[again]["provider"] == "alpha"
    on(stage, again, "grep -q 'from beta' /srv/left")
    assert remuda(stage, "release", again).returncode == 0
