"""Capsules of real machines: of a launch that fails, of a failed job, of one that lives."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from requestor import Client, RequestFailedError
from tests.e2e.test_secrets import znodes
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: Says secrets, writes them where logs are read, and fails.
_BLAB: Final = """
log=/var/log/cloud-init.log
say() { if [ "$(id -u)" = 0 ]; then cat >>$log; else sudo -n tee -a $log >/dev/null; fi; }
echo "OS_PASSWORD=planted-in-output"
printf 'api_key=planted-in-a-log\\nthe log of cloud-init\\n' | say
exit 3
"""
_PLANTED: Final = ("planted-in-output", "planted-in-a-log")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder for capsules, which is not there yet."""
    return tmp_path_factory.mktemp("capsules") / "kept"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kept: Path) -> Iterator[Stage]:
    """Give a provider whose capsules are kept in a folder, those of failed jobs, too."""
    with open_stage(tmp_path_factory, "capsule") as made:
        made.cloud("a", system="minimal", quota={"instances": 4, "cores": 8, "ram": 16000})
        made.label("blabbing", setup={"inline": _BLAB})
        made.label("job")
        made.provider("alpha", "a", labels=("blabbing", "job"), launch_attempts=1)
        made.config["capsules"] = {"jobs": ["job"], "folder": {"path": str(kept)}}
        made.launcher("alpha")
        yield made


def remuda(stage: Stage, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as an operator does."""
    command = [sys.executable, "-m", "remuda", "--zookeeper", ",".join(stage.hosts), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SERVED_S, check=False)


def unpacked(path: Path) -> dict[str, str]:
    """Return the files of a capsule."""
    texts: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        for one in archive.getmembers():
            file = archive.extractfile(one)
            assert file is not None
            texts[one.name.rpartition("/")[2]] = file.read().decode()
    return texts


def test_a_failed_launch_is_taken_home_without_its_secrets(
    stage: Stage, client: Client, kept: Path, tmp_path: Path
) -> None:
    """Console, transcript and cloud-init's log, in one file; nothing secret is anywhere."""
    with pytest.raises(RequestFailedError):
        client.request("blabbing", data={"job": "unit"}).wait(SERVED_S)

    def stored() -> bool:
        found = list(stage.failures("alpha").values())
        return bool(found and found[0].get("kept"))

    stage.until(stored, "the capsule to be stored")
    ((node, record),) = stage.failures("alpha").items()
    assert "the log of cloud-init" in record["logs"]["cloud_init"]
    assert record["job"] == {"job": "unit"}

    out = tmp_path / "failed.tar.gz"
    ran = remuda(stage, "capsule", node, "--out", str(out))
    assert (ran.returncode, "the whole capsule" in ran.stdout) == (0, True), ran.stderr
    files = unpacked(out)
    assert "the log of cloud-init" in files["cloud-init.log"]
    assert "OS_PASSWORD=[redacted]" in files["transcript.txt"]
    again = remuda(stage, "capsule", node, "--out", str(out))
    assert (again.returncode, "is there already" in again.stderr) == (2, True), again.stderr

    shown = {process.name: process.text() for process in stage.processes} | znodes(stage) | files
    shown |= {"list": remuda(stage, "failures").stdout}
    shown |= {"one": remuda(stage, "capsule", node).stdout}
    shown |= {"json": remuda(stage, "capsule", node, "--json").stdout}
    for secret in _PLANTED:
        assert [place for place, text in shown.items() if secret in text] == []
    assert "whole capsules: 1 in folder" in shown["list"]
    assert f"whole capsule: folder {kept}/alpha-{node}-" in shown["one"]
    assert json.loads(shown["json"])["kind"] == "launch"


def test_a_machine_is_told_of_while_it_lives_and_when_its_job_has_failed(
    stage: Stage, client: Client
) -> None:
    """By its launcher, asked by a wish in its record; the job's own capsule takes its place."""
    with client.request("job", deadline_s=SERVED_S) as nodes:
        node = nodes[0].id
        alive = remuda(stage, "capsule", node, "--json")
        assert alive.returncode == 0, alive.stderr
        told = json.loads(alive.stdout)
        assert (told["kind"], told["provider"]) == ("asked", "alpha")
        assert told["token"]
        assert told["moments"][0]["name"] == "planned"
        assert nodes[0].valid
        nodes[0].report(ok=False, why="2 tests failed")
    stage.until(lambda: node not in stage.nodes(), "the node to be deleted")

    def left() -> tuple[str, str] | None:
        after = json.loads(remuda(stage, "capsule", node, "--json").stdout)
        return (after["kind"], after["why"]) if after["kind"] != "asked" else None

    # The machine goes when its capsule was gathered; the record of that may come after it.
    assert stage.until(left, "the capsule of the job") == ("job", "2 tests failed")
    assert "jobs" in remuda(stage, "failures").stdout

    nobody = remuda(stage, "capsule", "9999999999")
    assert (nobody.returncode, "no capsule of it" in nobody.stderr) == (2, True), nobody.stderr
    wrong = remuda(stage, "capsule", "../x")
    assert (wrong.returncode, "is no node" in wrong.stderr) == (2, True), wrong.stderr
