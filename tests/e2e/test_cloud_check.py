"""``remuda cloud check`` against a sandbox with real machines: what an operator sees."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

from tests.support.deadline import wait_for
from tests.support.processes import Process
from tests.support.stage import SOON_S, Cloud

pytestmark = [pytest.mark.e2e, pytest.mark.ssh]

#: As ``remuda cloud`` runs it, whether or not this project is installed anew.
_COMMAND = "from launcher.checking.command import cloud; cloud(prog_name='remuda cloud')"
_CALL_S = 250.0

Doc = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a check said."""

    code: int
    report: Doc
    text: str
    progress: str

    def problems(self) -> dict[str, str]:
        """Return the problems by subject."""
        found = self.report["findings"]
        return {one["subject"]: one["text"] for one in found if one["state"] == "problem"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A sandbox, and a provider that uses it."""

    folder: Path
    cloud: Cloud

    def config(self, change: Callable[[Doc], None] | None = None) -> Path:
        """Write a good configuration with the changes of a test."""
        script = {"inline": "echo looking around; exit 0"}
        making = {"image": "debian-12", "flavor": "m1.small"}
        pool: Doc = {
            "max-servers": 2,
            "networks": ["private"],
            "floating-ips": True,
            "labels": {"small": making, "tested": {**making, "setup": script}},
        }
        doc: Doc = {
            "clouds-file": "clouds-x.yaml",
            "labels": {
                "small": {},
                "tested": {"checks": [{"disk": {"free": 1}}, {"name": "mine", "script": script}]},
            },
            "providers": {
                "east": {
                    "cloud": "cloud-x",
                    "ssh-key-file": "id_ed25519",
                    "list-period": 0.3,
                    "launch-timeout": 600,
                    "boot-timeout": 400,
                    "pools": {"main": pool},
                }
            },
        }
        if change is not None:
            change(doc)
        path = self.folder / "remuda.yaml"
        path.write_text(yaml.safe_dump(doc))
        return path

    def command(self, path: Path, *options: str) -> list[str]:
        """Return a command line."""
        words = [sys.executable, "-c", _COMMAND, "check", "east", "--config", str(path)]
        return [*words, *options]

    def check(self, path: Path, *options: str) -> Answer:
        """Run the check."""
        done = subprocess.run(
            self.command(path, *options),
            capture_output=True,
            text=True,
            timeout=_CALL_S,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        report = json.loads(done.stdout) if "--json" in options and done.stdout else {}
        return Answer(code=done.returncode, report=report, text=done.stdout, progress=done.stderr)

    def left(self) -> dict[str, int]:
        """Count what is in the cloud besides what it began with."""
        (region,) = self.cloud.ask("GET", "/state")["regions"].values()
        return {kind: region[kind] for kind in ("servers", "images", "ports", "floating_ips")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Start a sandbox; no ZooKeeper is needed."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the sandbox's machines are namespaces")
    if which("sshd") is None and not Path("/usr/sbin/sshd").exists():
        pytest.skip("needs sshd: apt-get install openssh-server")
    folder = tmp_path_factory.mktemp("check")
    key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id_ed25519")]
    subprocess.run(key, check=True, timeout=SOON_S)
    networks = [
        {"name": "public"},
        {"name": "private"},
        {"name": "external", "external": True},
    ]
    options = {"machines": "namespace", "boot_seconds": 0.2, "networks": networks}
    cloud = Cloud("x", folder, options)
    try:
        yield Place(folder=folder, cloud=cloud)
    finally:
        cloud.process.stop()


@pytest.fixture(autouse=True)
def healed(place: Place) -> Iterator[None]:
    """Take faults and small quotas away after each test."""
    yield
    place.cloud.heal()
    place.cloud.ask("PUT", "/quota", {"instances": 10, "cores": 20, "ram": 51_200})


def test_a_good_cloud_is_said_to_be_good(place: Place) -> None:
    """Exit code 0, a line per question, and nothing is made."""
    place.cloud.ask("DELETE", "/calls")
    answer = place.check(place.config())

    changing = ("server.create", "server.delete", "server.action", "floatingip.create")
    outcomes = {
        outcome
        for service in place.cloud.calls().values()
        for operation in changing
        for outcome in service.get(operation, {}).get("outcomes", ())
    }
    assert answer.code == 0
    assert "user demo@Default (member, reader) of project demo@Default" in answer.text
    assert "main/small image" in answer.text
    assert answer.text.splitlines()[-1].startswith("no problems, no warnings")
    assert outcomes <= {"400", "404"}
    assert place.left()["servers"] == 0


def test_a_good_cloud_boots_every_label(place: Place) -> None:
    """All steps with their times; all rights are shown; nothing is left."""
    before = place.left()
    answer = place.check(place.config(), "--boot", "--json")

    small, tested = answer.report["boots"]
    assert answer.problems() == {}
    assert answer.code == 0
    assert set(answer.report["rights"].values()) == {"yes"}
    assert abs(answer.report["time_skew_s"]) < 5
    assert [one["step"] for one in small["steps"] if one["step"] != "ssh-wait"] == [
        *("create", "active", "floating-ip", "connect", "host-key", "login"),
        *("snapshot", "delete"),
    ]
    assert [one["name"] for one in tested["steps"]][-4:] == ["setup", "disk /", "mine", "delete"]
    assert small["seconds"] > 0.2
    assert "main/small: login" in answer.progress
    assert place.left() == before


def test_all_mistakes_are_reported_at_once(place: Place) -> None:
    """Missing image, tiny quota, wrong network, a key pair and a key that do not exist."""

    def spoil(doc: Doc) -> None:
        pool = doc["providers"]["east"]["pools"]["main"]
        pool["labels"]["small"] = {"image": "debian-21", "flavor": "m1.small"}
        pool["labels"]["tested"]["flavor"] = "m1.large"
        pool.update({"networks": ["privat"], "key-name": "nobodys", "max-servers": 50})
        doc["providers"]["east"]["ssh-key-file"] = "not-a-key"

    (place.folder / "not-a-key").write_text("this is not a key\n")
    (place.folder / "not-a-key").chmod(0o600)
    place.cloud.ask("PUT", "/quota", {"instances": 5, "cores": 1, "ram": 51_200})
    answer = place.check(place.config(spoil), "--json")

    problems = answer.problems()
    warned = [one["subject"] for one in answer.report["findings"] if one["state"] == "warning"]
    assert answer.code == 1
    assert "near are debian-12" in problems["main/small image"]
    assert "near are private" in problems["main/tested networks"]
    assert "nobodys" in problems["main/tested key pair"]
    assert "not an ed25519" in problems["ssh-key-file"]
    assert "quota of cores" in problems["main/tested room"]
    assert "max-servers" in warned


def test_a_cloud_that_refuses_the_login_is_one_problem(place: Place) -> None:
    """Asked once, not for every question."""
    entry = json.loads(json.dumps(place.cloud.entry))
    entry["auth"]["password"] = "surely wrong"
    wrong = place.folder / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({"clouds": {"cloud-x": entry}}))
    wrong.chmod(0o600)

    def spoil(doc: Doc) -> None:
        doc["clouds-file"] = "wrong.yaml"

    answer = place.check(place.config(spoil), "--boot", "--json")

    assert answer.code == 1
    assert list(answer.problems()) == ["login"]
    assert answer.report["identity"] is None
    assert place.left()["servers"] == 0


def test_a_failing_check_shows_its_output_and_leaves_nothing(place: Place) -> None:
    """The operator sees what the machine printed, and the console."""
    before = place.left()

    def spoil(doc: Doc) -> None:
        script = {"inline": "echo looking for gcc; echo no compiler here >&2; exit 3"}
        doc["labels"]["tested"]["checks"] = [{"name": "mine", "script": script}]

    answer = place.check(place.config(spoil), "--boot")

    assert answer.code == 1
    assert "mine failed: no compiler here" in answer.text
    assert "    looking for gcc" in answer.text
    assert "end of the console log" in answer.text
    assert "main/small" in answer.text
    assert place.left() == before


def test_a_machine_that_takes_no_key_and_one_that_dies_are_told_apart(place: Place) -> None:
    """The advice depends on the step."""
    place.cloud.fault("server.boot", "no_key", match={"name": "remuda-check-*-1"})
    place.cloud.fault("server.boot", "boot_error", match={"name": "remuda-check-*-2"})

    def hurry(doc: Doc) -> None:
        # It counts from when a machine runs: how long that takes is not the question.
        doc["providers"]["east"]["login-timeout"] = 15

    answer = place.check(place.config(hurry), "--boot", "--json")

    small, tested = answer.report["boots"]
    assert small["steps"][-2]["step"] == "login"
    assert "No valid host was found" in tested["fault"]
    assert set(answer.problems()) == {"main/small", "main/tested"}
    assert place.left()["servers"] == 0


def test_ctrl_c_removes_the_machine(place: Place) -> None:
    """Exit code 130, a report of what was found out, and nothing left."""
    place.cloud.fault("server.boot", "boot_slow", seconds=60)
    path = place.config()
    log = place.folder / "interrupted.log"
    process = Process("check", place.command(path, "--boot"), log)
    wait_for(lambda: place.left()["servers"], SOON_S, "the server")

    process.signal(signal.SIGINT)
    code = process.child.wait(SOON_S)

    assert code == 130, process.tail()
    assert "stopped by you" in process.text()
    assert "Traceback" not in process.text()
    assert place.left()["servers"] == 0
