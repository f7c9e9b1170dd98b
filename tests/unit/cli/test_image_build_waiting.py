"""`remuda image build --wait`: what is told meanwhile, and how it ends."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from builder.log.build_log import BuildLog
from remuda.cli.image.building import build
from remuda.images import library
from remuda.images.catalogue import Catalogue
from remuda.images.following import AWAY_S
from remuda.images.state import Outcome, build_result
from remuda.model.build import Blame, BuildState, Mishap
from remuda.model.upload import Trial, TrialResult, UploadState
from remuda.store import paths
from remuda.store.api import Delete
from tests.fakes.clock import ManualClock
from tests.support.deadline import wait_for
from tests.support.imageharness import ImageHarness
from tests.unit.cli.test_image_overview import CONFIG

DEADLINE_S = 120.0


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current; launchers and a builder are alive."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.launchers()
    harness.builder()
    return harness


class Waiting:
    """A `build --wait` in a thread of its own."""

    def __init__(self, harness: ImageHarness, *words: str) -> None:
        self.result: Result | None = None
        self._call: Callable[[], Result] = lambda: harness.call(build, "debian", "--wait", *words)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_for(
            lambda: harness.read_image().wanted, deadline_s=DEADLINE_S, what="what is asked for"
        )

    def _run(self) -> None:
        self.result = self._call()

    def over(self) -> Result:
        """Wait for the end."""
        wait_for(
            lambda: not self._thread.is_alive(),
            deadline_s=DEADLINE_S,
            what="the end of the command",
        )
        assert self.result is not None
        return self.result


def test_waiting_ends_when_it_is_current_everywhere(harness: ImageHarness) -> None:
    """It prints each step of the build, and each provider that has it."""
    waiting = Waiting(harness)
    build_id = harness.build(4, providers=[], state=BuildState.BUILDING)
    log = BuildLog(harness.zookeeper.connect(), build_id, writer="me", interval_s=0.01)
    log.step("packages")
    log.close(ok=True)
    assert log.settle(DEADLINE_S)
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


def test_steps_are_told_of_a_build_that_a_pointer_alone_shows(
    harness: ImageHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of builds is read before the pointers, and both may be written in between."""
    real = library.read

    def torn(*arguments: Any, **more: Any) -> library.Library:
        whole = real(*arguments, **more)
        return replace(
            whole, builds={key: one for key, one in whole.builds.items() if key.number < 4}
        )

    monkeypatch.setattr(library, "read", torn)
    waiting = Waiting(harness)
    log = BuildLog(harness.zookeeper.connect(), harness.build(4), writer="me", interval_s=0.01)
    log.step("packages")
    log.close(ok=True)
    assert log.settle(DEADLINE_S)
    harness.pointer(4, provider="alpha", previous=3)
    harness.pointer(4, provider="beta", previous=3)

    assert "debian/4: packages" in waiting.over().stdout.splitlines()


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
    wait_for(lambda: len(harness.stores) > 0, deadline_s=DEADLINE_S, what="the session")
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
    wait_for(lambda: len(harness.stores) > 0, deadline_s=DEADLINE_S, what="the session")
    harness.stores[-1].suspend()

    def over() -> bool:
        clock.advance(AWAY_S / 4)
        return not waiting._thread.is_alive()

    wait_for(over, deadline_s=DEADLINE_S, what="the end of the command")
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
    seen = Catalogue(library.read(harness.store))

    assert build_result(seen, "debian", "alpha", above=3, now_s=1000.0).outcome is outcome
