"""An image that is made on first use: served at once, made beside it, booted, and gone again."""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import pytest

from remuda.model.image import BuildId
from remuda.store import paths
from tests.e2e.test_images import builder
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: A build is a machine, its snapshot, and a machine that proves it.
BUILD_S: Final = 240.0
#: Two listings have to show that an image is gone.
GONE_S: Final = 600.0
IMAGE: Final = "tools"
TTL_S: Final = 3600.0
#: Says which build a machine boots, by what the step has written; 0: it has run the recipe itself.
STEP: Final = {
    "name": "tools",
    "command": "echo $REMUDA_IMAGE/$REMUDA_BUILD >/srv/made",
    "timeout": 30,
    "as-root": True,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud with its launcher and a builder, and a label whose image nobody has made."""
    with open_stage(tmp_path_factory, "first-use") as made:
        # Machines with all of this host's files would be searched for minutes.
        made.cloud("a", system="minimal")
        proof = {"name": "made", "script": {"inline": "test -s /srv/made\n"}}
        made.label("tooled", checks=[proof])
        made.provider("alpha", "a", labels={"tooled": {"image": {"built": IMAGE}}})
        recipe = {"base": "debian-12", "flavor": "m1.small", "steps": [STEP]}
        made.config["images"] = {IMAGE: {**recipe, "build": "on-demand", "ttl": TTL_S}}
        made.launcher("alpha")
        builder(made)
        yield made


def remuda(stage: Stage, *words: str) -> str:
    """Run a command as a job would; return what it printed."""
    group = 2 if words[0] == "image" else 1
    zookeeper = ["--zookeeper", ",".join(stage.hosts)]
    done = subprocess.run(
        [sys.executable, "-m", "remuda", *words[:group], *zookeeper, *words[group:]],
        capture_output=True,
        text=True,
        timeout=BUILD_S + 60.0,
        check=False,
        env={"REMUDA_REQUESTOR": "ci-1", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def take(stage: Stage) -> str:
    """Take a machine, as a job does that goes on elsewhere; return its node."""
    return remuda(stage, "request", "tooled", "--wait", "--detach", "--keep", "20m").split()[0]


def made_by(stage: Stage, node: str) -> str:
    """Return what the step has written on a machine."""
    return remuda(stage, "ssh", node, "--identity", str(stage.key), "--", "cat /srv/made").strip()


def give_back(stage: Stage, node: str) -> None:
    """Give a machine back, and delete what is left ready, so that the next one is a new one."""
    remuda(stage, "release", node)

    def emptied() -> bool:
        for one in stage.free("tooled"):
            remuda(stage, "delete", one)
        return not stage.nodes(label="tooled")

    stage.until(emptied, "all machines to go")


def launch(stage: Stage, node: str) -> Doc:
    """Return the launch of a node."""
    found = stage.read(f"{paths.launches('alpha')}/{node}")
    assert found is not None
    return found


def current(stage: Stage) -> int | None:
    """Return the build that launches boot, if there is one."""
    found = stage.read(paths.pointer(IMAGE, "alpha"))
    return None if found is None else int(found["current"])


def builds(stage: Stage) -> dict[str, Doc]:
    """Return all builds that are on record."""
    return stage.records(paths.builds(IMAGE))


def age(stage: Stage, path: str, **fields: float) -> None:
    """Let a record say that something was long ago: no test waits for an hour."""
    stage.rewrite(path, lambda doc: {**doc, **fields})


def test_the_first_requests_are_served_by_machines_that_run_the_recipe(stage: Stage) -> None:
    """Several at once; and one build is made beside them."""
    wanted = [remuda(stage, "request", "tooled").split()[0] for _ in range(2)]
    node = take(stage)

    assert made_by(stage, node) == f"{IMAGE}/0"
    found = launch(stage, node)
    assert found["first_use"]
    assert "image_build" not in found
    assert stage.nodes()[node]["image_id"] == f"{IMAGE}/first-use"
    use = stage.until(lambda: stage.read(paths.last_use(IMAGE)), "its use to be on record")
    assert use is not None
    assert use["ttl_s"] == TTL_S

    stage.until(lambda: current(stage) == 1, "the build to become current", BUILD_S)
    assert [one["why"] for one in builds(stage).values()] == ["first use"]
    assert "made on first use: unused for" in remuda(stage, "image", "list")
    for request in wanted:
        stage.zk.delete(f"{paths.REQUESTS}/{request}")
    give_back(stage, node)


def test_later_requests_boot_the_build(stage: Stage) -> None:
    """As those of any image."""
    node = take(stage)

    assert made_by(stage, node) == f"{IMAGE}/1"
    assert launch(stage, node)["image_build"] == f"{IMAGE}/1"
    assert "first_use" not in launch(stage, node)
    give_back(stage, node)
    assert len(builds(stage)) == 1


def test_unused_for_its_time_it_goes(stage: Stage) -> None:
    """Its pointer first; then all of it, once two listings show that the cloud has none."""
    long_ago_s = time.time() - 2 * TTL_S
    age(stage, paths.build(BuildId(IMAGE, 1)), since_s=long_ago_s)
    age(stage, paths.last_use(IMAGE), at_s=long_ago_s)

    stage.until(lambda: current(stage) is None, "the pointer to go")
    stage.until(lambda: _retiring(stage), "its upload to retire")
    for place in stage.children(paths.uploads(BuildId(IMAGE, 1))):
        age(stage, f"{paths.uploads(BuildId(IMAGE, 1))}/{place}", since_s=long_ago_s)
    stage.until(lambda: not builds(stage), "the build to be gone", GONE_S)


def _retiring(stage: Stage) -> bool:
    found = stage.records(paths.uploads(BuildId(IMAGE, 1))).values()
    return bool(found) and all(one["state"] in ("retiring", "deleting") for one in found)


def test_after_that_it_begins_anew(stage: Stage) -> None:
    """The next request is the first; its build has the next number."""
    node = take(stage)

    assert made_by(stage, node) == f"{IMAGE}/0"
    stage.until(lambda: current(stage) == 2, "the second build to become current", BUILD_S)
    give_back(stage, node)


def test_a_changed_recipe_makes_the_next_request_the_first(stage: Stage) -> None:
    """What was made does not serve any more; all of the machines are of the new recipe."""
    changed = {**STEP, "command": f"{STEP['command']}; echo changed >>/srv/made"}
    stage.config["images"][IMAGE]["steps"] = [changed]
    stage.write()
    stage.until(lambda: _plainly(stage), "a machine that runs the recipe of now", BUILD_S)
    stage.until(lambda: current(stage) == 3, "the third build to become current", BUILD_S)


def _plainly(stage: Stage) -> bool:
    """Take a machine, and give it back; say whether it was of the new recipe, and of no build."""
    node = take(stage)
    said = made_by(stage, node)
    give_back(stage, node)
    return said == f"{IMAGE}/0\nchanged"
