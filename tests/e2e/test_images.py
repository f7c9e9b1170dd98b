"""An image from its recipe to the nodes that boot it: builders, launchers and clouds, all real."""

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from remuda.cli.context import CommandContext
from remuda.cli.main import main
from remuda.model.image import BuildId
from remuda.store import paths
from tests.support.processes import Process
from tests.support.stage import Doc, Stage, open_stage

pytestmark = pytest.mark.e2e

#: A build is a machine, its snapshot, and a machine that proves it.
BUILD_S = 90.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud, its launcher, a label that boots an image of ours, and a builder."""
    with open_stage(tmp_path_factory, "images") as stage:
        # Machines with all of this host's files would be searched for minutes.
        stage.cloud("a", system="minimal")
        proof = {"name": "proof", "script": {"inline": "#!/bin/sh\ntest -s /srv/proof\n"}}
        stage.label("ours", min_ready=1, checks=[proof])
        stage.provider("alpha", "a", labels={"ours": {"image": {"built": "base"}}})
        recipe(stage, {"command": "echo first >/srv/proof", "timeout": 20, "as-root": True})
        stage.launcher("alpha")
        builder(stage)
        yield stage


def recipe(stage: Stage, *steps: Any) -> None:
    """Have the image made by these steps; who runs reads that by itself."""
    one = {"base": "debian-12", "flavor": "m1.small", "steps": list(steps)}
    stage.config["images"] = {"base": one}
    stage.write()


def builder(stage: Stage) -> Process:
    """Start a builder."""
    number = sum(one.name.startswith("builder") for one in stage.processes) + 1
    process = Process.python(
        f"builder {number}",
        "builder",
        *("--config", str(stage.write()), "--log-format", "json"),
        log=stage.folder / f"builder-{number}.log",
        env={"TMPDIR": str(stage.folder)},
    )
    stage.processes.append(process)
    return process


def pointer(stage: Stage, current: int) -> Doc | None:
    """Return what is booted in the provider, if it is this build."""
    found = stage.read(paths.pointer("base", "alpha"))
    return found if found is not None and found["current"] == current else None


def build(stage: Stage, number: int, state: str) -> Doc | None:
    """Return a build, if it is in this state."""
    found = stage.read(paths.build(BuildId("base", number)))
    return found if found is not None and found["state"] == state else None


def remuda(stage: Stage, *words: str) -> str:
    """Run a command as from a shell; return what it printed."""
    context = CommandContext(zookeeper=",".join(stage.hosts) + stage.chroot)
    result = CliRunner().invoke(main, list(words), obj=context)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_image_is_built_proven_and_booted(stage: Stage) -> None:
    """From an empty ZooKeeper; nobody but the recipe says anything."""
    stage.until(lambda: pointer(stage, 1), "the first build to become current", BUILD_S)
    assert build(stage, 1, "built")

    # The label's check looks for what the step has written.
    (node,) = stage.ready_nodes("ours", 1).values()
    launches = stage.records(paths.launches("alpha"))
    assert {one["image_build"] for one in launches.values() if one["label"] == "ours"} == {"base/1"}
    assert node["state"] == "ready"


def test_what_is_in_it_and_how_it_was_tried_is_on_record(stage: Stage) -> None:
    """The packages by the machine's own tools, and the log of its trial beside its own."""
    told = remuda(stage, "image", "log", "base/1", "--provider", "alpha")
    assert "== identity" in told
    assert "build base/1 in alpha: verdict passed" in told
    shown = remuda(stage, "image", "show", "base/1", "--json")
    assert json.loads(shown)["inventory"]
    assert json.loads(remuda(stage, "image", "list", "--json"))[0]["orphan"] is False


def test_a_changed_recipe_makes_a_build_that_takes_over(stage: Stage) -> None:
    """Without a moment in which nothing could be booted."""
    recipe(stage, {"command": "echo second >/srv/proof", "timeout": 20, "as-root": True})

    found = stage.until(lambda: pointer(stage, 2), "the second build to become current", BUILD_S)
    assert found is not None
    assert found["previous"] == 1


def test_a_build_that_fails_leaves_what_is_booted_alone(stage: Stage) -> None:
    """It says at which step, and whose fault that was."""
    recipe(stage, {"name": "break", "command": "exit 3", "timeout": 20})

    found = stage.until(lambda: build(stage, 3, "failed"), "the build to fail", BUILD_S)
    assert found is not None
    assert found["failure"]["blame"] == "recipe"
    assert "break" in found["failure"]["step"]
    assert pointer(stage, 2)


def test_a_killed_builder_leaves_nothing_behind(stage: Stage) -> None:
    """Its machine is deleted, and its build is begun anew by the next builder."""
    recipe(stage, {"command": "sleep 60", "timeout": 90})
    machine = stage.until(
        lambda: (build(stage, 4, "building") or {}).get("node"), "a machine", BUILD_S
    )
    (key,) = stage.folder.glob("remuda-builder-*/keys/login-*")
    (dying,) = [one for one in stage.processes if one.name.startswith("builder")]
    dying.signal(signal.SIGKILL)
    following = builder(stage)

    def again() -> Doc | None:
        found = build(stage, 4, "building")
        return found if found is not None and found["attempt"] == 1 else None

    # At once: the death of a builder is no fault of its build.
    found = stage.until(again, "the build to be begun anew")
    assert found is not None
    assert found["failure"]["blame"] == "builder"
    stage.until(lambda: machine not in stage.nodes(label="make/base"), "its machine to go")
    assert not key.exists()

    following.signal(signal.SIGTERM)
    stage.until(lambda: not following.alive, "the builder to end")
    assert following.child.returncode == 0
