"""`remuda demo`: it says what it does, and fails where something does not really work."""

import json
import socket
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from remuda.cli.demo.captures import DemoCapture
from remuda.cli.demo.first_use import DemoFirstUse
from remuda.cli.demo.images import DemoImages, show_images
from remuda.cli.demo.jobs import Jobs
from remuda.cli.demo.stage import CommandRan, DemoFailedError, DemoStage
from remuda.cli.dev import recipe
from remuda.cli.dev.control import Control
from tests.fakes.clock import ManualClock

#: What each look at the installation takes.
LOOK_S = 5.0


class Acted(DemoStage):
    """An installation whose builder takes three looks for each build; nothing runs.

    Attributes:
        refuses: Whether a build of a script that breaks the tool fails.
        rejected: The build that no provider accepts.
        stuck: The build that is never finished.
        deaf: Whether no change of the script is seen.
    """

    refuses = True
    rejected = 0
    stuck = 0
    deaf = False

    def __init__(self, folder: Path, no_images: str | None = None) -> None:
        self.time = ManualClock()
        hurry = Event()
        hurry.set()
        facts = {"dir": str(folder), "no_images": no_images}
        super().__init__(folder=folder, facts=facts, clock=self.time, _pause=hurry)
        self.script = folder / recipe.SCRIPT_NAME
        self.script.write_text(recipe.SCRIPT)
        self.seen = recipe.SCRIPT
        self.newest, self.looks = 1, 0
        self.boots: list[int] = []
        self.versions: dict[int, str] = {}
        self.nodes = 0
        self.asked: list[tuple[str, ...]] = []

    def remuda(self, *arguments: str) -> CommandRan:
        """Answer as the command would."""
        self.asked.append(arguments)
        out = ""
        if arguments[:2] == ("image", "rollback"):
            self.boots.pop()
        if arguments[0] == "run":
            self.nodes += 1
            out = (
                f"remuda: {arguments[1]} 300000000{self.nodes} at 127.77.0.1 (alpha) after 2.0 s\n"
            )
            out += f"{self.versions[self.boots[-1]]}\n"
        return CommandRan(code=0, out=out)

    def ask(self, *arguments: str) -> Any:
        """Tell how the image stands; each look is a step of the build that is under way."""
        assert arguments == ("image", "list")
        self.time.advance(LOOK_S)
        state = self._state()
        boots = self.boots[-1] if self.boots else None
        row = {"image": recipe.IMAGE, "boots": boots, "newest": self.newest, "state": state}
        row["waits"] = "it was not tried"
        strange = {**row, "image": "other", "provider": "alpha", "newest": 99}
        return [{**row, "provider": "alpha"}, {**row, "provider": "beta"}, strange]

    def _state(self) -> str:
        if (text := self.script.read_text()) != self.seen and not self.deaf:
            self.seen, self.looks, self.newest = text, 0, self.newest + 1
        self.looks += 1
        if self.newest == self.rejected:
            return "rejected"
        if "chmod 644" in self.seen and self.refuses:
            return "failed"
        if self.looks < 3 or self.newest == self.stuck:
            return "building"
        if self.newest not in self.versions:
            self.versions[self.newest] = "tools 2" if "version=2" in self.seen else "tools 1"
            self.boots.append(self.newest)
        return "usable"


def test_an_image_is_built_refused_swapped_in_and_rolled_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each time a machine says which build it booted from."""
    stage = Acted(tmp_path)
    jobs = Jobs(stage)
    DemoImages(jobs).play()

    assert [one for one in stage.asked if one[0] == "image"] == [
        ("image", "list"),
        ("image", "log", "tools/2", "--follow"),
        ("image", "list"),
        ("image", "rollback", "tools", "--why", "tools 2 breaks our tests"),
    ]
    assert [use.node for use in jobs.uses] == [f"300000000{number}" for number in (1, 2, 3, 4)]
    assert {use.label for use in jobs.uses} == {"tooled"}
    assert "version=2" in stage.script.read_text()
    said = capsys.readouterr().out
    assert "alpha boots nothing (build 1: building)" in said
    assert "$ sed -i 's/chmod 755/chmod 644/' install-tools.sh" in said


def test_where_no_image_can_be_made_it_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is asked for."""
    stage = Acted(tmp_path, "its machines are of kind plain")
    show_images(Jobs(stage))

    assert stage.asked == []
    assert "Here none can be made: its machines are of kind plain." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "value", "why"),
    [
        ("refuses", False, "build 2 is broken, but was not refused: alpha boots 1"),
        ("rejected", 3, "build 3 is rejected in alpha: it was not tried"),
        ("stuck", 1, r"build 1 did not become current everywhere: alpha boots nothing \(build 1"),
        ("deaf", True, "no build was begun though its script has changed"),
    ],
)
def test_what_does_not_work_is_said(tmp_path: Path, fault: str, value: object, why: str) -> None:
    """In one sentence, and without waiting for ever."""
    stage = Acted(tmp_path)
    setattr(stage, fault, value)

    with pytest.raises(DemoFailedError, match=why):
        DemoImages(Jobs(stage)).play()


class Capturing(Acted):
    """An installation of which a job captures a machine.

    Attributes:
        forgets: Whether the image has nothing of what the job has left.
        captured: Whether there is a snapshot.
    """

    forgets = False
    captured = False

    def remuda(self, *arguments: str) -> CommandRan:
        """Answer as the command would."""
        self.asked.append(arguments)
        out = ""
        match arguments:
            case ("request", label, *_):
                out = f"3000000009 127.77.0.9 22 root {label} beta\n"
            case ("ssh", _, "--", command):
                self.left = command.partition("echo ")[2].partition(" >")[0]
            case ("image", "capture", *_):
                self.captured, self.looks = True, 0
            case ("run", label, *_):
                out = f"remuda: {label} 3000000010 at 127.77.0.1 (alpha) after 2.0 s\n"
                out += "" if self.forgets else f"{self.left}\n"
        return CommandRan(code=0, out=out)

    def ask(self, *arguments: str) -> Any:
        """Tell how the captured image stands: there is no build before somebody asks."""
        assert arguments == ("image", "list")
        self.time.advance(LOOK_S)
        self.looks += self.captured
        boots = 1 if self.looks > 2 else None
        row = {"image": recipe.CAPTURED, "boots": boots, "newest": 1 if self.captured else None}
        row["state"] = "usable" if boots else "trying"
        return [{**row, "provider": one} for one in ("alpha", "beta")]


def test_a_job_ends_with_an_image_that_another_begins_with(tmp_path: Path) -> None:
    """The node is given back once there is a snapshot, and both have had a machine."""
    stage = Capturing(tmp_path)
    jobs = Jobs(stage)
    DemoCapture(jobs).play()

    node = "3000000009"
    assert [one[:3] for one in stage.asked] == [
        ("request", "small", "--wait"),
        ("ssh", node, "--"),
        ("image", "capture", node),
        ("release", node),
        ("run", "oneiric", "--"),
    ]
    assert [(use.node, use.label, use.provider) for use in jobs.uses] == [
        (node, "small", "beta"),
        ("3000000010", "oneiric", "alpha"),
    ]


def test_an_image_without_what_its_job_has_left_is_a_failure(tmp_path: Path) -> None:
    """Whatever the records say."""
    stage = Capturing(tmp_path)
    stage.forgets = True

    with pytest.raises(DemoFailedError, match="has not what its job has left"):
        DemoCapture(Jobs(stage)).play()


class FirstUsed(Acted):
    """An installation with an image that is made when it is used.

    Attributes:
        eager: Whether it is made before anybody asks for it.
        idle: Whether the second machine runs the recipe once more, as if there were no image.
    """

    eager = False
    idle = False
    used = 0

    def remuda(self, *arguments: str) -> CommandRan:
        """Answer as the command would."""
        self.asked.append(arguments)
        self.used += 1
        out = f"remuda: seldom 300000000{self.used} at 127.77.0.1 (alpha) after 2.0 s\n"
        return CommandRan(code=1 if self.used > 1 and not self.idle else 0, out=out)

    def ask(self, *arguments: str) -> Any:
        """Tell how the image stands."""
        assert arguments == ("image", "list")
        self.time.advance(LOOK_S)
        self.looks += self.used
        newest = 1 if self.used or self.eager else None
        row = {"image": recipe.ON_DEMAND, "boots": 1 if self.looks > 2 else None, "newest": newest}
        return [{**row, "state": "trying", "provider": "alpha"}]


def test_the_first_machine_makes_itself_ready_and_the_second_boots_the_image(
    tmp_path: Path,
) -> None:
    """The second one was made ready elsewhere, and says so by its exit code."""
    stage = FirstUsed(tmp_path)
    jobs = Jobs(stage)
    DemoFirstUse(jobs).play()

    assert [use.task for use in jobs.uses] == ["first use", "second use"]
    assert stage.looks > 2


@pytest.mark.parametrize(
    ("fault", "why"),
    [("eager", "made before anybody asked for it"), ("idle", "exit code 0, not 1")],
)
def test_an_image_that_is_not_made_on_first_use_is_a_failure(
    tmp_path: Path, fault: str, why: str
) -> None:
    """Too early, or not at all."""
    stage = FirstUsed(tmp_path)
    setattr(stage, fault, True)

    with pytest.raises(DemoFailedError, match=why):
        DemoFirstUse(Jobs(stage)).play()


def test_a_request_that_prints_no_machine_is_a_failure(tmp_path: Path) -> None:
    """Nobody works on what nobody has got."""
    stage = Acted(tmp_path)

    with pytest.raises(DemoFailedError, match="to be captured: no machine was given"):
        Jobs(stage).take("to be captured", "small")


def test_a_machine_with_another_build_is_a_failure(tmp_path: Path) -> None:
    """Whatever the records say."""
    stage = Acted(tmp_path)
    stage.versions[1] = "tools 0"
    stage.boots.append(1)

    with pytest.raises(DemoFailedError, match="from an image: the machine has other tools"):
        DemoImages(Jobs(stage)).play()


def test_commands_that_fail_or_name_no_machine_are_failures(tmp_path: Path) -> None:
    """Nobody counts what nobody has got."""
    stage = Acted(tmp_path)
    stage.boots, stage.versions = [1], {1: "tools 1"}
    jobs = Jobs(stage)

    with pytest.raises(DemoFailedError, match="remuda run small -- true: exit code 0, not 7"):
        jobs.run("one", "small", "true", code=7)
    with pytest.raises(DemoFailedError, match="did not say which machine"):
        jobs.run("one", "a label with blanks", "true")
    assert jobs.uses == []


def test_a_tool_that_fails_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what it said before."""
    stage = Acted(tmp_path)

    with pytest.raises(DemoFailedError, match="cat nothing: exit code 1"):
        stage.tool("cat", "nothing")
    assert "No such file" in capsys.readouterr().out


def test_waits_end_in_time(tmp_path: Path) -> None:
    """However long each look takes."""
    stage = Acted(tmp_path)
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        stage.time.advance(LOOK_S)
        return False

    assert not stage.wait(look, 2 * LOOK_S)
    assert looks <= 3


def test_a_cloud_that_does_not_answer_is_a_failure(tmp_path: Path) -> None:
    """Its address and what is wrong stand in the sentence; its token does not."""
    stage = Acted(tmp_path)
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        control = {"url": f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "token": "hush"}
        clouds = tmp_path / "clouds.yaml"
        clouds.write_text(json.dumps({"clouds": {"cloud-a": {"sandbox_control": control}}}))
        stage.facts |= {"clouds_yaml": str(clouds), "providers": {"alpha": "cloud-a"}}
        with pytest.raises(DemoFailedError, match=r"cloud-a cannot be broken: POST http") as told:
            stage.break_cloud("alpha")

    assert "hush" not in f"{told.value}{Control.of(clouds, 'cloud-a')}"
