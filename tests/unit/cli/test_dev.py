"""`remuda dev`: what it writes is what the others read, and it cleans up."""

import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from remuda.cli.dev import recipe
from remuda.cli.dev.announcement import announcement
from remuda.cli.dev.children import ChildEndedError, ChildProcesses
from remuda.cli.dev.command import _folder, dev
from remuda.cli.dev.control import why_no_images
from remuda.cli.dev.keys import write_key, write_keys
from remuda.cli.dev.plan import (
    CLOUDS_MAX,
    DevPlan,
    clouds_of,
    environment,
    merged_clouds,
    remuda_document,
    sandbox_document,
)
from remuda.cli.dev.reviving import DEATHS_WITHIN_S, Reviver
from remuda.cli.dev.yamltext import readable
from remuda.cli.errors import MistakeError
from remuda.config.loader import read
from remuda.runtime.clock import SystemClock
from remuda.ssh.keyfile import line_of, load_key
from sandbox.config_file import parse
from tests.fakes.clock import ManualClock
from tests.support.deadline import wait_for
from tests.support.processes import Process
from tests.support.stage import missing as missing_for_machines
from tests.support.zookeeper import missing

DEADLINE_S = 60.0


def plan_in(folder: Path, clouds: int = 2) -> DevPlan:
    """Return a plan."""
    return DevPlan(
        folder=folder,
        clouds=clouds_of(folder, clouds),
        machines="none",
        boot_s=1.0,
        user="root",
        ssh_port=2222,
    )


def test_clouds_have_names_of_their_own(tmp_path: Path) -> None:
    """As many as there are names."""
    clouds = clouds_of(tmp_path, CLOUDS_MAX)

    assert [one.cloud for one in clouds[:2]] == ["cloud-a", "cloud-b"]
    assert [one.provider for one in clouds[:2]] == ["alpha", "beta"]
    assert len({one.folder for one in clouds}) == CLOUDS_MAX


def test_the_sandbox_understands_its_configuration(tmp_path: Path) -> None:
    """The sandbox's own reader is the judge."""
    plan = plan_in(tmp_path)
    config = parse(sandbox_document(plan, plan.clouds[1]))

    assert config.cloud == "cloud-b"
    assert (config.address_range, config.ssh_port) == ("auto", 2222)
    assert {one.name for one in config.flavors} == {"m1.small", "m1.large"}
    assert [one.name for one in config.users] == ["demo", "admin", "ada"]


@pytest.mark.parametrize("no_images", ["", "its machines are of kind plain"])
def test_what_is_said_at_the_start_fits_on_a_screen(tmp_path: Path, no_images: str) -> None:
    """And names nothing that is not there."""
    pages = {"alpha": "http://127.0.0.1:2344", "beta": "http://127.0.0.1:2345"}
    plan = replace(plan_in(tmp_path), no_images=no_images, pages=pages, project="5e1f")
    text = announcement(plan, bare="")

    assert text.count("\n") < 36
    assert "http://127.0.0.1:2344 (alpha), http://127.0.0.1:2345 (beta)" in text
    assert ("--snapshot --share-with 5e1f" in text) == (not no_images)
    assert ("remuda image list" in text) == (not no_images)
    assert "No launcher runs." in announcement(plan_in(tmp_path), bare="")


def test_what_is_written_can_be_copied_in_parts() -> None:
    """Nothing refers to another place; scripts are as they were, short mappings in one line."""
    check = [{"disk": {"free": "64MiB"}}]
    labels = {"small": {"checks": check}, "big": {"checks": check, "setup": "a\nb\n"}}

    assert (
        readable({"clouds-file": "/x", "labels": labels})
        == """\
clouds-file: /x

# What jobs may ask for.
labels:
  small:
    checks:
    - disk: {free: 64MiB}
  big:
    checks:
    - disk: {free: 64MiB}
    setup: |
      a
      b
"""
    )


def test_machines_may_have_networks_of_their_own(tmp_path: Path) -> None:
    """What a trial without a network takes away is then not everybody's."""
    plan = replace(plan_in(tmp_path), own_network=True)

    assert not parse(sandbox_document(plan_in(tmp_path), plan.clouds[0])).own_network
    assert parse(sandbox_document(plan, plan.clouds[0])).own_network


@pytest.mark.parametrize("no_images", ["", "they are of kind plain"])
def test_remuda_understands_its_configuration(tmp_path: Path, no_images: str) -> None:
    """The loader is the judge, with keys and clouds in place."""
    plan = replace(plan_in(tmp_path), no_images=no_images)
    write_keys(plan)
    plan.script_file.write_text(recipe.SCRIPT)
    document = remuda_document(plan, ["127.0.0.1:2181"])
    auth = {"auth_url": "http://127.0.0.1:1/", "username": "u", "password": "p"}
    documents = [{"clouds": {one.cloud: {"auth": auth}}} for one in plan.clouds]
    plan.clouds_file.write_text(yaml.safe_dump(merged_clouds(documents)))
    plan.config_file.write_text(readable(document))
    reading = read(plan.config_file)

    assert reading.problems == ()
    assert reading.config is not None
    assert {name: one.min_ready for name, one in reading.config.labels.items()} == {
        "small": 2,
        "big": 1,
        **({} if no_images else {"tooled": 0, "oneiric": 0, "seldom": 0}),
    }
    assert set(reading.config.images) == (set() if no_images else {"tools", "oneiric", "seldom"})
    assert set(reading.config.providers) == {"alpha", "beta"}
    assert set(reading.config.developers) == {"ada"}
    assert (reading.config.holds.snapshots is None) == bool(no_images)
    assert reading.config.holds.certificates is not None
    assert yaml.safe_load(plan.config_file.read_text()) == document
    assert environment(plan)["REMUDA_CONFIG"] == str(plan.config_file)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"machines": "namespace", "system": "minimal"}, ""),
        ({"machines": "namespace", "system": "host"}, "see all files of this one"),
        ({"machines": "plain", "system": "host"}, "are of kind plain"),
        ({"machines": "none", "system": "host"}, "are of kind none"),
    ],
)
def test_images_are_made_of_machines_with_files_of_their_own(
    state: dict[str, Any], why: str
) -> None:
    """One cloud that cannot is enough: they share the image."""
    good = {"machines": "namespace", "system": "minimal"}
    found = why_no_images([good, state])

    assert why in found
    assert bool(found) == bool(why)


def test_the_key_is_private_and_stays(tmp_path: Path) -> None:
    """A second start must not lock out whoever copied the key."""
    path = tmp_path / "key"
    write_key(path, "ours")
    before = path.read_text()
    write_key(path, "ours")

    assert path.read_text() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / "key.pub").read_text() == f"{line_of(load_key(str(path)))} ours\n"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """Only what we made is written into again."""
    (tmp_path / "thesis.txt").write_text("precious")
    with ExitStack() as undo:
        with pytest.raises(MistakeError, match="not empty"):
            _folder(tmp_path, undo)
        ours = _folder(tmp_path / "new", undo)
        (ours / "zookeeper").mkdir()
        with pytest.raises(MistakeError, match="another remuda dev runs in"), ExitStack() as more:
            _folder(ours, more)
        assert (ours / "zookeeper").exists()
    with ExitStack() as undo:
        assert _folder(ours, undo) == ours
        assert not (ours / "zookeeper").exists()


def test_a_child_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The others end with us."""
    with ChildProcesses(SystemClock()) as children:
        children.start("bad", ["remuda", "no-such-command"], tmp_path / "log")
        with pytest.raises(ChildEndedError, match=r"bad ended with code 2: .*no-such-command"):
            children.wait_ended(DEADLINE_S)


def test_children_end_with_the_block(tmp_path: Path) -> None:
    """With SIGTERM first."""
    with ChildProcesses(SystemClock()) as children:
        children.start("server", ["http.server", "0", "--bind", "127.0.0.1"], tmp_path / "log")
        pid = children.pids["server"]
        children.wait_until(lambda: Path(f"/proc/{pid}").exists(), "it runs", DEADLINE_S)

    assert not Path(f"/proc/{pid}").exists()


def test_waiting_for_children_is_bounded(tmp_path: Path) -> None:
    """The sentence says for what."""
    with ChildProcesses(SystemClock()) as children:
        children.start("server", ["http.server", "0", "--bind", "127.0.0.1"], tmp_path / "log")
        with pytest.raises(ChildEndedError, match="the moon"):
            children.wait_until(lambda: False, "the moon", 0.01)


@pytest.mark.zk
@pytest.mark.e2e
def test_dev_comes_up_tells_where_everything_is_and_ends(tmp_path: Path) -> None:
    """Without machines and launchers; those have tests of their own."""
    if why := missing():
        pytest.skip(why)
    ready = tmp_path / "ready.json"
    command = ["dev", "--dir", str(tmp_path / "d"), "--clouds", "1", "--machines", "none"]
    process = Process.python(
        "dev",
        "remuda",
        *command,
        "--no-launchers",
        "--ready-file",
        str(ready),
        log=tmp_path / "log",
        last_signal=signal.SIGTERM,
    )
    try:
        wait_for(lambda: ready.exists() or not process.alive, DEADLINE_S, "the ready file")
        facts = json.loads(ready.read_text())
        done = subprocess.run(
            [sys.executable, "-m", "remuda", "nodes", "--zookeeper", facts["zookeeper"]],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "no nodes\n"
        assert facts["providers"] == {"alpha": "cloud-a"}
        assert facts["image"] is None
        assert "kind none" in facts["no_images"]
        assert (facts["pages"], facts["developer"]["cloud"]) == ({}, "cloud-a-ada")
    finally:
        code = process.stop()
    assert code == 0, process.tail()
    assert all(not Path(f"/proc/{pid}").exists() for pid in facts["pids"].values())


@pytest.mark.zk
@pytest.mark.ssh
@pytest.mark.e2e
def test_dev_replaces_a_builder_that_dies(tmp_path: Path) -> None:
    """Beside launchers; its process id is then another one."""
    if why := missing_for_machines():
        pytest.skip(why)
    ready = tmp_path / "ready.json"
    command = ["dev", "--dir", str(tmp_path / "d"), "--clouds", "1", "--ready-file", str(ready)]
    process = Process.python(
        "dev", "remuda", *command, log=tmp_path / "log", last_signal=signal.SIGTERM
    )
    try:
        wait_for(lambda: ready.exists() or not process.alive, DEADLINE_S, "the ready file")
        facts = json.loads(ready.read_text())
        first = facts["pids"]["builder"]
        os.kill(first, signal.SIGKILL)

        def second() -> int:
            pid = int(json.loads(ready.read_text())["pids"].get("builder", first))
            return 0 if pid == first else pid

        replaced = wait_for(second, DEADLINE_S, "a replacement")
    finally:
        code = process.stop(DEADLINE_S)
    assert facts["image"] == recipe.IMAGE
    assert code == 0, process.tail()
    assert f"builder is replaced (pid {replaced})" in process.text()
    assert f"The image {recipe.IMAGE} is made by" in process.text()
    pids = {*facts["pids"].values(), replaced}
    assert all(not Path(f"/proc/{pid}").exists() for pid in pids)


def test_help_shows_examples() -> None:
    """As every command of ours."""
    assert "remuda dev --dir ./try --clouds 1" in CliRunner().invoke(dev, ["--help"]).output


def reviver(children: ChildProcesses, clock: ManualClock, told: list[str]) -> Reviver:
    """Return one that revives "mortal" only."""
    return Reviver(
        children, ["mortal"], tell=told.append, revived=lambda: told.append("noted"), clock=clock
    )


def test_a_launcher_that_dies_is_replaced(tmp_path: Path) -> None:
    """After a moment, under a new process id."""
    clock, told = ManualClock(), list[str]()
    with ChildProcesses(clock) as children:
        children.start("mortal", ["http.server", "0", "--bind", "127.0.0.1"], tmp_path / "log")
        first = children.pids["mortal"]
        one = reviver(children, clock, told)
        os.kill(first, signal.SIGKILL)
        one.turn()
        assert "mortal" not in children.pids
        clock.advance(1.0)
        one.turn()
        second = children.pids["mortal"]

    assert second != first
    assert told[0].startswith("mortal ended with code -9: it wrote nothing")
    assert told[0].endswith("a replacement starts in 1 s")
    assert told[1:] == [f"mortal is replaced (pid {second})", "noted"]


def test_a_replacement_has_the_environment_of_the_first(tmp_path: Path) -> None:
    """The builder's files stay in the folder of the installation."""
    clock, told = ManualClock(), list[str]()
    tmpdir = f"TMPDIR={tmp_path}"
    with ChildProcesses(clock) as children:
        children.start(
            "mortal",
            ["http.server", "0", "--bind", "127.0.0.1"],
            tmp_path / "log",
            environ={"TMPDIR": str(tmp_path)},
        )
        one = reviver(children, clock, told)
        os.kill(children.pids["mortal"], signal.SIGKILL)
        one.turn()
        clock.advance(1.0)
        one.turn()
        has = Path(f"/proc/{children.pids['mortal']}/environ").read_text().split("\0")

    assert tmpdir in has


def test_who_dies_all_the_time_is_given_up(tmp_path: Path) -> None:
    """Each time after a longer wait; a death of long ago does not count."""
    clock, told = ManualClock(), list[str]()
    with ChildProcesses(clock) as children:
        children.start("mortal", ["remuda", "no-such-command"], tmp_path / "log")
        one = reviver(children, clock, told)
        one.turn()
        clock.advance(DEATHS_WITHIN_S + 1.0)
        one.turn()
        for wait_s in (1.0, 2.0, 4.0, 8.0, 16.0):
            one.turn()
            assert told[-1].endswith(f"a replacement starts in {wait_s:g} s")
            clock.advance(wait_s)
            one.turn()
        with pytest.raises(ChildEndedError, match="death number 6 within 120 s"):
            one.turn()


def test_the_death_of_anybody_else_is_the_end(tmp_path: Path) -> None:
    """Also of those that somebody else ends."""
    clock, told = ManualClock(), list[str]()
    with ChildProcesses(clock) as children, subprocess.Popen(["/bin/sleep", "600"]) as server:
        children.watch("zookeeper", server.pid, tmp_path / "no log")
        server.kill()
        with pytest.raises(ChildEndedError, match=r"zookeeper ended: .*; nothing works without it"):
            reviver(children, clock, told).turn()

    assert told == []


def test_folders_that_cannot_be_are_a_mistake(tmp_path: Path) -> None:
    """Told before anything is started."""
    with ExitStack() as undo, pytest.raises(MistakeError, match="--dir: cannot make"):
        _folder(Path("/proc/nothing/here"), undo)
    result = CliRunner().invoke(dev, ["--ready-file", str(tmp_path / "no" / "file")])

    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
