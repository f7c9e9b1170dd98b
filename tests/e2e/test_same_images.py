"""Nights without a change: builds that are the same as what is booted, from the base or from it."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from remuda.cli.context import CommandContext
from remuda.cli.main import main
from remuda.model.image import BuildId
from remuda.store import paths
from tests.support.processes import Process
from tests.support.stage import Doc, Stage, open_stage

pytestmark = pytest.mark.e2e

#: A build is a machine, its snapshot, and a machine that proves it; a night lasts a minute.
BUILD_S = 180.0
#: From the fourth build on there is something new, without a change of the recipe.
STEP = """\
mkdir -p /opt/tool
echo $((${REMUDA_BUILD##*/} / 4)) >/opt/tool/version
date >/var/log/made
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud, its launcher, and a builder that makes an image each minute."""
    with open_stage(tmp_path_factory, "same") as stage:
        stage.cloud("a", system="minimal")
        stage.label("ours")
        stage.provider("alpha", "a", labels={"ours": {"image": {"built": "base"}}})
        stage.config["images"] = {
            "base": {
                "base": "debian-12",
                "flavor": "m1.small",
                "steps": [{"command": STEP, "timeout": 20, "as-root": True}],
                "checks": [{"name": "tool", "script": {"inline": "test -s /opt/tool/version"}}],
                "schedule": {"max-age": "1m", "jitter": "1m"},
                "start-from": "current",
                "full-every": 2,
                "freshness": "1h",
            }
        }
        stage.launcher("alpha")
        process = Process.python(
            "builder",
            "builder",
            *("--config", str(stage.write()), "--log-format", "json"),
            log=stage.folder / "builder.log",
            env={"TMPDIR": str(stage.folder)},
        )
        stage.processes.append(process)
        yield stage


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


def uploads(stage: Stage, number: int) -> list[str]:
    """Return the places of a build."""
    path = paths.uploads(BuildId("base", number))
    return list(stage.zk.get_children(stage.chroot + path))


def test_a_night_without_a_change_uploads_nothing(stage: Stage) -> None:
    """It starts from what is current, which is new again by it; nothing refers to the build."""
    first = stage.until(lambda: build(stage, 1, "built"), "the first build", BUILD_S)
    second = stage.until(lambda: build(stage, 2, "same"), "the first night", BUILD_S)

    assert first is not None
    assert second is not None
    assert (second["parent"], second["since_full"], second["same_as"]) == ("base/1", 1, 1)
    assert second["inventory"] == first["inventory"]
    assert uploads(stage, 2) == []
    renewed = stage.read(paths.build(BuildId("base", 1)))
    assert renewed is not None
    assert renewed["renewed_s"] == second["requested_s"]
    (told,) = json.loads(remuda(stage, "image", "list", "--json"))
    assert (told["boots"], told["newest"], told["state"]) == (1, 2, "same as 1")


def test_the_way_from_the_base_comes_to_the_same(stage: Stage) -> None:
    """Each second build goes it; what was made from the current build has left nothing behind."""
    third = stage.until(lambda: build(stage, 3, "same"), "the second night", BUILD_S)

    assert third is not None
    assert "parent" not in third
    assert (third["since_full"], third["same_as"]) == (0, 1)
    assert uploads(stage, 3) == []
    assert "the same as in build 1" in remuda(stage, "image", "diff", "base/1", "base/3")


def test_a_night_with_a_change_is_uploaded_and_says_what_it_is(stage: Stage) -> None:
    """Also how long it took to be proven."""
    fourth = stage.until(lambda: build(stage, 4, "built"), "the third night", BUILD_S)
    assert fourth is not None
    assert fourth["parent"] == "base/1"

    def current() -> Doc | None:
        found = stage.read(paths.pointer("base", "alpha"))
        return found if found is not None and found["current"] == 4 else None

    stage.until(current, "it to become current", BUILD_S)
    shown = json.loads(remuda(stage, "image", "diff", "base/1", "base/4", "--json"))
    assert [(one["kind"], one["name"]) for one in shown["differences"]] == [("folder", "/opt/tool")]
    assert {one["what"] for one in shown["measures"]} >= {"size", "boot", "check tool"}
