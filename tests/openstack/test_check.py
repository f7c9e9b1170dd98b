"""``remuda cloud check`` on a real OpenStack: what an operator asks before trusting a cloud."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.openstack.lab.control import slowly
from tests.openstack.stages import BOOTED_S, LabStage, open_lab_stage
from tests.support.processes import ROOT

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(300)]

#: As ``remuda cloud`` runs it, whether or not this project is installed anew.
_COMMAND = "from launcher.checking.command import cloud; cloud(prog_name='remuda cloud')"


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabStage]:
    """Give a configuration for the account with floating IPs; no launcher."""
    with open_lab_stage(tmp_path_factory, "check") as made:
        made.account("lab-fip")
        pool = {"networks": ["private"], "floating_ips": True}
        made.provider("alpha", "lab-fip", labels=("small", "broken"), pool=pool)
        yield made


def check(stage: LabStage, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the check; return its exit code and its report."""
    words = ["check", "alpha", "--config", str(stage.write()), "--json", *options]
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def problems(report: dict[str, Any]) -> dict[str, str]:
    """Return the problems by subject."""
    return {one["subject"]: one["text"] for one in report["findings"] if one["state"] == "problem"}


def test_a_good_account_boots_every_label_and_is_left_as_it_was(stage: LabStage) -> None:
    """Login, rights, a boot through all steps with a floating IP, a snapshot, and nothing left."""
    network = stage.lab.account("lab-fip").network

    code, report = check(stage, "--boot")

    assert problems(report) == {}
    assert code == 0
    assert set(report["rights"].values()) == {"yes"}
    assert abs(report["time_skew_s"]) < 5
    assert {"small", "broken"} == {one["label"] for one in report["boots"]}
    stage.emptied()
    stage.until(slowly(lambda: not list(network.ips())), "the addresses to go", BOOTED_S)


def test_all_that_is_wrong_is_said_at_once(stage: LabStage) -> None:
    """An image that is not there and a quota that is too small."""
    pool = stage.config["providers"]["alpha"]["pools"]["main"]
    pool["labels"]["broken"]["image"] = "debian-21"
    with stage.lab.quota("lab-fip", cores=0):
        code, report = check(stage)

    assert code == 1
    assert {"main/broken image", "main/small room"} <= problems(report).keys()
