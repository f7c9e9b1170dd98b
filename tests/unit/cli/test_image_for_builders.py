"""`remuda image build, pause, resume, delete`, and what the shell completes."""

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import Result

from builder.log.build_log import BuildLog
from remuda.cli.context import CommandContext
from remuda.cli.image.building import build
from remuda.cli.image.command import image as group
from remuda.cli.image.for_builders import delete, pause, resume
from remuda.cli.main import main
from remuda.images.catalogue import Catalogue
from remuda.images.following import AWAY_S
from remuda.images.library import read
from remuda.images.state import Outcome, build_result
from remuda.model.build import Blame, BuildState, Mishap
from remuda.model.image import BuildId
from remuda.model.pointer import Pin
from remuda.model.upload import Trial, TrialResult, UploadState
from remuda.runtime.whoami import user_at_host
from remuda.store import paths
from remuda.store.api import Delete, StoreAwayError
from tests.fakes.clock import ManualClock
from tests.support.deadline import wait_for
from tests.support.imageharness import ADA, ImageHarness
from tests.support.standin import StandIn
from tests.unit.cli.test_image_overview import CONFIG


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current; both have a launcher."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.launcher.register("small")
    StandIn(harness.zookeeper.connect(), "beta").register("small")
    harness.builder()
    return harness


# -- build -----------------------------------------------------------------------------------


def test_a_build_is_wanted_above_the_last(harness: ImageHarness) -> None:
    """By whom, and why; for several images in one command."""
    harness.image("ubuntu", last_build=7)
    result = harness.call(build, "debian", "ubuntu", "debian", "--why", "toolchain")

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "debian: a build above 3 is wanted\nubuntu: a build above 7 is wanted\n"
    )
    record = harness.read_image("ubuntu")
    assert record.wanted is not None
    assert (record.wanted.who, record.wanted.why) == (user_at_host(), "toolchain")
    assert (record.wanted_above, record.last_build) == (7, 7)


def test_an_image_that_is_paused_is_said_to_be(harness: ImageHarness) -> None:
    """What is asked for stays; to wait for it would be for ever."""
    harness.image(last_build=3, paused=ADA)

    assert "but it is paused by ada@host: it is bad" in harness.call(build, "debian").stdout
    refused = harness.call(build, "debian", "--wait")
    assert refused.exit_code == 1
    assert "first: remuda image resume debian" in refused.stderr


def test_one_unknown_image_keeps_all_from_being_wanted(harness: ImageHarness) -> None:
    """Nothing is half done by a slip."""
    result = harness.call(build, "debian", "debain")

    assert result.exit_code == 2
    assert "did you mean 'debian'?" in result.stderr
    assert harness.read_image().wanted is None


def test_an_image_that_is_paused_in_the_file_is_not_waited_for(
    harness: ImageHarness, tmp_path: Path
) -> None:
    """Nobody could resume it."""
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {paused: true, "))
    refused = harness.call(build, "debian", "--wait", "--config", str(file))

    assert refused.exit_code == 1
    assert "debian is paused in the configuration" in refused.stderr
    assert harness.read_image().wanted is None
    assert harness.call(build, "debian", "--config", str(file)).exit_code == 0


class Waiting:
    """A `build --wait` in a thread of its own."""

    def __init__(self, harness: ImageHarness, *words: str) -> None:
        self.result: Result | None = None
        self._call: Callable[[], Result] = lambda: harness.call(build, "debian", "--wait", *words)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_for(lambda: harness.read_image().wanted, deadline_s=60, what="what is asked for")

    def _run(self) -> None:
        self.result = self._call()

    def over(self) -> Result:
        """Wait for the end."""
        wait_for(lambda: not self._thread.is_alive(), deadline_s=60, what="the end of the command")
        assert self.result is not None
        return self.result


def test_waiting_ends_when_it_is_current_everywhere(harness: ImageHarness) -> None:
    """It prints each step of the build, and each provider that has it."""
    waiting = Waiting(harness)
    build_id = harness.build(4, providers=[], state=BuildState.BUILDING)
    log = BuildLog(harness.zookeeper.connect(), build_id, writer="me", interval_s=0.01)
    log.step("packages")
    log.close(ok=True)
    assert log.settle(60)
    harness.build(4)
    harness.pointer(4, provider="alpha", previous=3)
    harness.pointer(4, provider="beta", previous=3)
    result = waiting.over()

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "debian: a build above 3 is wanted"
    assert "debian/4: packages" in lines
    assert "debian/4 in alpha is current there" in lines
    assert "debian/4 in beta is current there" in lines


def test_waiting_ends_when_it_failed_somewhere(harness: ImageHarness) -> None:
    """With the reason, as a line for programs, too."""
    waiting = Waiting(harness, "--json")
    mishap = Mishap(step="packages", blame=Blame.RECIPE, message="mirror down")
    harness.build(4, providers=[], state=BuildState.FAILED, mishap=mishap)
    result = waiting.over()
    events = [json.loads(line) for line in result.stdout.splitlines()]

    assert result.exit_code == 1
    assert {
        "event": "failed",
        "build": "debian/4",
        "provider": "beta",
        "why": "packages: mirror down",
    } in events


def test_waiting_ends_when_it_is_rejected_in_one_place(harness: ImageHarness) -> None:
    """Though it is current in the other."""
    waiting = Waiting(harness)
    build_id = harness.build(4)
    failed = Trial(result=TrialResult.FAILED, why="no login")
    harness.upload(build_id, "beta", state=UploadState.REJECTED, trials={"beta": failed})
    harness.pointer(4, provider="alpha")
    result = waiting.over()

    assert result.exit_code == 1
    assert "debian/4 in beta failed: no login" in result.stdout
    assert "debian/4 in alpha is current there" in result.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"waits": {"debian for alpha, beta": "2 builds came to nothing"}}, "2 builds came to no"),
        ({"waits": {"debian": "it is not on record yet"}}, "it is not on record yet"),
    ],
)
def test_who_waits_hears_why_no_build_is_begun(
    harness: ImageHarness, words: dict[str, Any], why: str
) -> None:
    """In one sentence, at once, and again in the end."""
    harness.builder(**words)
    result = harness.call(build, "debian", "--wait", "--timeout", "0.2s")

    assert result.exit_code == 5
    (told,) = [line for line in result.stdout.splitlines() if line.startswith("debian waits: ")]
    assert why in told
    assert f"remuda: debian did not become current in time: {why}" in result.stderr


def test_waiting_has_an_end(harness: ImageHarness) -> None:
    """Builders go on."""
    harness.builder()
    result = harness.call(build, "debian", "--wait", "--timeout", "0.2s")

    assert result.exit_code == 5
    assert result.stderr == "remuda: debian did not become current in time; builders go on\n"


def test_nobody_waits_for_a_provider_that_is_no_more(harness: ImageHarness) -> None:
    """Its records stay, but nobody makes anything there."""
    for one in harness.store.children(paths.POOL_COMPONENTS):
        harness.store.commit([Delete(path=f"{paths.POOL_COMPONENTS}/{one}")])
    harness.launcher.register("small")
    waiting = Waiting(harness)
    harness.build(4, group=("alpha",), providers=["alpha"])
    harness.pointer(4, provider="alpha")

    assert waiting.over().exit_code == 0


def test_the_file_says_for_which_providers_to_wait(tmp_path: Path) -> None:
    """Of the first build nothing is on record."""
    harness = ImageHarness()
    harness.image("fresh")
    harness.image("debian")
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh:", "debian:"))
    waiting = Waiting(harness, "--config", str(file))
    harness.build(1, group=("alpha",), providers=["alpha"])
    harness.pointer(1, provider="alpha")

    assert waiting.over().exit_code == 0


def test_a_zookeeper_that_is_away_for_a_while_is_waited_for(harness: ImageHarness) -> None:
    """What was asked for is on record."""
    waiting = Waiting(harness)
    wait_for(lambda: len(harness.stores) > 0, deadline_s=60, what="the session")
    store = harness.stores[-1]
    store.suspend()
    harness.build(4)
    harness.pointer(4, provider="alpha")
    harness.pointer(4, provider="beta")
    store.expire()

    assert waiting.over().exit_code == 0


def test_a_zookeeper_that_stays_away_ends_the_waiting(harness: ImageHarness) -> None:
    """Nobody would ever tell what has come of it; it is not our time that is over."""
    clock = ManualClock()
    harness.clock = clock
    waiting = Waiting(harness)
    wait_for(lambda: len(harness.stores) > 0, deadline_s=60, what="the session")
    harness.stores[-1].suspend()

    def over() -> bool:
        clock.advance(AWAY_S / 4)
        return not waiting._thread.is_alive()

    wait_for(over, deadline_s=60, what="the end of the command")
    result = waiting.over()
    assert result.exit_code == 3
    assert "ZooKeeper stays away" in result.stderr


def test_waiting_ends_when_nothing_comes_after_what_was_superseded(harness: ImageHarness) -> None:
    """Its successor has a while to begin."""
    waiting = Waiting(harness, "--json")
    mishap = Mishap(step="requested", blame=Blame.RECIPE, message="the recipe has changed")
    harness.build(4, providers=[], state=BuildState.SUPERSEDED, mishap=mishap, since_s=1.0)
    result = waiting.over()

    assert result.exit_code == 1
    assert "requested: the recipe has changed" in result.stdout


@pytest.mark.parametrize(("since_s", "outcome"), [(940.0, Outcome.FAILED), (941.0, Outcome.OPEN)])
def test_what_was_superseded_has_a_minute_for_its_successor(
    harness: ImageHarness, since_s: float, outcome: Outcome
) -> None:
    """Builders begin it in a later turn."""
    harness.build(4, providers=[], state=BuildState.SUPERSEDED, since_s=since_s)
    seen = Catalogue(read(harness.store))

    assert build_result(seen, "debian", "alpha", above=3, now_s=1000.0).outcome is outcome


# -- pause, resume, delete -------------------------------------------------------------------


def test_pausing_and_resuming(harness: ImageHarness) -> None:
    """Once each; who came first is told."""
    assert harness.call(pause, "debian", "--why", "mirror").stdout == "debian is paused\n"
    paused = harness.read_image().paused
    assert paused is not None
    assert (paused.who, paused.why) == (user_at_host(), "mirror")
    again = harness.call(pause, "debian")
    assert (again.exit_code, again.stderr) == (
        1,
        f"remuda: debian was paused by {user_at_host()} already: mirror\n",
    )
    assert harness.json(resume, "debian") == {"image": "debian", "paused": False}
    assert harness.read_image().paused is None
    assert harness.call(resume, "debian").exit_code == 1
    assert harness.call(pause, "debian", "--why", " ").exit_code == 0


def test_a_broken_record_of_an_image_is_left_alone(harness: ImageHarness) -> None:
    """Its number would be lost."""
    harness.put(paths.image("debian"), b"nonsense")
    for command in (pause, resume, build):
        result = harness.call(command, "debian")
        assert result.exit_code == 1
        assert "the record of image debian cannot be read" in result.stderr


def test_a_build_that_nothing_names_is_deleted(harness: ImageHarness) -> None:
    """By builders, once nothing uses it."""
    assert harness.json(delete, "debian/1", "--why", "room") == {
        "build": "debian/1",
        "unwanted": True,
    }
    unwanted = read(harness.store).builds[BuildId("debian", 1)].value.unwanted
    assert unwanted is not None
    assert unwanted.why == "room"
    again = harness.call(delete, "debian/1")
    assert (again.exit_code, "was deleted by" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (3, "build debian/3 is current in alpha; first: remuda image rollback debian --provider"),
        (2, "build debian/2 is previous in alpha; a rollback goes to it, and it goes by itself"),
        (1, "build debian/1 is pinned in beta; first: remuda image unpin debian --provider beta"),
    ],
)
def test_what_a_pointer_names_is_not_deleted(
    harness: ImageHarness, number: int, sentence: str
) -> None:
    """It says which command has to come first."""
    harness.pointer(3, provider="beta", pinned=Pin(number=1, word=ADA), previous=2)
    result = harness.call(delete, f"debian/{number}")

    assert result.exit_code == 1
    assert sentence in result.stderr


def test_what_goes_already_is_not_deleted_again(harness: ImageHarness) -> None:
    """Nor is what was never there."""
    harness.build(4, providers=[], state=BuildState.RETIRING)

    assert "is being deleted already" in harness.call(delete, "debian/4").stderr
    assert harness.call(delete, "debian/9").exit_code == 2
    assert harness.call(delete, "debian").exit_code == 2


# -- completion ------------------------------------------------------------------------------


def completed(harness: ImageHarness, words: Sequence[str], incomplete: str) -> list[str]:
    """Return what the shell offers."""
    context = CommandContext(zookeeper="fake:1", connect=lambda _options: harness._connect())
    shell = ShellComplete(main, {"obj": context}, "remuda", "_REMUDA_COMPLETE")
    return [one.value for one in shell.get_completions(list(words), incomplete)]


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        (["image"], "ro", ["rollback"]),
        (["image", "rollback"], "de", ["debian", "debian-ci"]),
        (["image", "rollback"], "debian/", ["debian/3", "debian/2", "debian/1"]),
        (["image", "pin"], "debian/3", ["debian/3"]),
        (["image", "show"], "x", []),
        (["image", "show"], "../", []),
        (["image", "rollback", "debian", "--provider"], "a", ["alpha"]),
        (["image", "pin", "debian/1", "--provider"], "", ["alpha", "beta"]),
    ],
)
def test_names_are_completed(
    harness: ImageHarness, words: list[str], incomplete: str, offered: list[str]
) -> None:
    """Images, builds from the newest on, and providers."""
    harness.image("debian-ci")

    assert completed(harness, words, incomplete) == offered


def test_completion_never_fails(harness: ImageHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ZooKeeper there is nothing to offer."""

    def away() -> None:
        raise StoreAwayError("no connection")

    monkeypatch.setattr(harness, "_connect", away)
    assert completed(harness, ["image", "show"], "de") == []
    monkeypatch.delenv("REMUDA_ZOOKEEPER", raising=False)
    monkeypatch.delenv("REMUDA_CONFIG", raising=False)
    shell = ShellComplete(main, {}, "remuda", "_REMUDA_COMPLETE")
    assert shell.get_completions(["image", "show"], "de") == []
    assert shell.get_completions(["--zookeeper", "", "image", "show"], "de") == []
    assert sorted(group.list_commands(None)) == [  # type: ignore[arg-type]  # it asks nobody
        *("build", "capture", "delete", "diff", "list", "log", "pause", "pin", "promote"),
        *("provenance", "restore", "resume", "revoke", "rollback", "show", "unpin", "verify"),
        "withdraw",
    ]
