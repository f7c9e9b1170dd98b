"""A newer build on a part of the requests, on real machines: it proves itself, or is withdrawn."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from remuda.store import paths
from tests.support.processes import Process
from tests.support.stage import Doc, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: A build is a machine, its snapshot, and a machine that proves it.
_BUILD_S = 90.0
_COMMAND_S = 200.0
_MACHINES = 3


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a cloud, its launcher, a builder, and an image of which newer builds are tried."""
    with open_stage(tmp_path_factory, "canary") as stage:
        # Machines with all of this host's files would be searched for minutes.
        stage.cloud("a", system="minimal")
        stage.label("ours", min_ready=_MACHINES)
        stage.provider("alpha", "a", labels={"ours": {"image": {"built": "base"}}})
        # So few launches decide: all requests are given what is tried.
        canary = {"share": "100%", "good": "10%", "bad": "60%"}
        step = {"command": "date >/srv/made", "timeout": 20, "as-root": True}
        stage.config["images"] = {
            "base": {
                "base": "debian-12",
                "flavor": "m1.small",
                "steps": [step],
                "canary": canary,
            }
        }
        stage.launcher("alpha")
        builder = Process.python(
            "builder",
            "builder",
            *("--config", str(stage.write()), "--log-format", "json"),
            log=stage.folder / "builder.log",
            env={"TMPDIR": str(stage.folder)},
        )
        stage.processes.append(builder)
        yield stage


def remuda(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "remuda", *words],
        env={**os.environ, "REMUDA_ZOOKEEPER": ",".join(stage.hosts) + stage.chroot},
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )


def image(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command on images."""
    return remuda(stage, "image", *words)


def pointer(stage: Stage, **wanted: Any) -> Doc | None:
    """Return what is booted in the provider, if it says all of this."""
    found = stage.read(paths.pointer("base", "alpha"))
    if found is None or any(found[key] != value for key, value in wanted.items()):
        return None
    return found


def show(stage: Stage) -> Doc:
    """Return what is shown of the image."""
    told = image(stage, "show", "base", "--json")
    assert told.returncode == 0, told.stderr
    shown: Doc = json.loads(told.stdout)
    return shown


def jobs(stage: Stage) -> dict[str, int]:
    """Return how many jobs are counted, of all builds, by how they went."""
    tallies = show(stage)["tallies"]
    return {word: sum(one["jobs"][word] for one in tallies) for word in ("ok", "failed")}


def work(stage: Stage, jobs: int) -> None:
    """Use so many machines up; each is made anew."""
    for _ in range(jobs):
        login = ("--identity", str(stage.key), "--quiet")
        ran = remuda(stage, "run", "ours", *login, "--", "true")
        assert ran.returncode == 0, ran.stderr


def test_the_first_build_is_current_at_once(stage: Stage) -> None:
    """There is nothing that it could be compared with."""
    stage.until(lambda: pointer(stage, current=1, canary=None), "the first build", _BUILD_S)
    stage.ready_nodes("ours", _MACHINES)


def test_a_newer_build_is_tried_and_becomes_current(stage: Stage) -> None:
    """Who waits for it hears that it is tried; launches decide, as `image show` tells."""
    told = image(stage, "build", "base", "--wait", "--why", "for the test")
    assert told.returncode == 0, told.stderr
    assert "it is tried on 1 of all requests" in told.stdout + told.stderr
    assert pointer(stage, current=1, canary=2)

    work(stage, _MACHINES + 2)
    stage.until(lambda: pointer(stage, current=2, previous=1, canary=None), "it to become current")
    # Reports are counted a moment after they are made.
    stage.until(lambda: jobs(stage) == {"ok": _MACHINES + 2, "failed": 0}, "all jobs to count")
    shown = show(stage)
    tallies = {one["build"]: one for one in shown["tallies"]}
    assert tallies[2]["launches"]["ok"] >= 4
    assert tallies[1]["jobs"]["ok"] >= _MACHINES
    moves = [(one["kind"], one["from"], one["to"]) for one in shown["moves"]]
    assert moves[:2] == [("promote", 1, 2), ("canary", 1, 1)]


def test_one_whose_machines_fail_is_withdrawn(stage: Stage) -> None:
    """By itself; requests are served by the current one again, and people hear of it."""
    stage.ready_nodes("ours", _MACHINES)
    told = image(stage, "build", "base", "--wait", "--why", "a worse one")
    assert told.returncode == 0, told.stderr
    stage.clouds["a"].fault("server.boot", "wrong_host_key")
    work(stage, _MACHINES)

    found = stage.until(lambda: pointer(stage, current=2, canary=None), "it to be withdrawn")
    assert found is not None
    stage.clouds["a"].heal()
    word = found["withdrawn"]["3"]
    assert word["who"] == "remuda"
    assert "launches, 0 failed" not in word["why"].partition(" (")[0]
    alarm = "build 3 was tried in alpha, and withdrawn"
    stage.until(lambda: alarm in image(stage, "list").stdout, "people to hear of it")
    work(stage, 1)
    refused = image(stage, "withdraw", "base", "--why", "x")
    assert refused.returncode == 1
    assert "no build of base is tried in alpha" in refused.stdout + refused.stderr
