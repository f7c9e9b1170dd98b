"""What the wired hands do when there is nobody left to ask."""

from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from builder.build.hand_file import FileHand
from builder.build.hand_make import MakingHand
from builder.build.tasks import MakeTask
from builder.build.wiring import Making
from builder.hands.means import HandMeans
from builder.place.clouds import Clouds
from builder.place.sites import Sites
from builder.upload.events import TrialEnded
from builder.upload.hand_validate import TrialInCloud
from builder.upload.tasks import CopyTask, TrialTask
from builder.upload.wiring import TRIAL_ROOM_S, Copying, Validating
from remuda.model.build import Blame, BuildState
from remuda.model.upload import Method, UploadState
from remuda.store import paths
from tests.unit.builder.bench import Bench as Whole
from tests.unit.builder.bench import config
from tests.unit.builder.filebench import FakeCommands, file_recipe
from tests.unit.builder.handbench import PLACE, UPLOAD, Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Records."""
    return Bench(tmp_path)


def means(bench: Bench, tmp_path: Path, *providers: str) -> HandMeans:
    """Return what hands work with, in clouds of these providers."""
    made = config(a={})
    clouds = Clouds(make=Whole(made).cloud)
    clouds.adopt(made, providers)
    return HandMeans(
        store=bench.store,
        clouds=clouds,
        clock=bench.clock,
        log=cast("Any", None),
        installation="us",
        config=lambda: made,
        work_dir=tmp_path,
    )


def files(bench: Bench, tmp_path: Path) -> FileHand:
    """Return the hand of builds by a command."""
    commands = FakeCommands(tmp_path / "commands")
    return FileHand(store=bench.store, clock=bench.clock, commands=commands, wait=bench.wait)


def test_what_a_command_writes_is_made_without_a_machine(bench: Bench, tmp_path: Path) -> None:
    """By the hand that runs commands, in the cloud of the provider that was chosen."""
    order = MakeTask(
        build=bench.put_build(provider="p", base=None),
        recipe=file_recipe("p"),
        policy=bench.policy,
        parent=None,
        also=(),
        stop=Event(),
    )
    hand = MakingHand(machines=bench.machines, clock=bench.clock)
    made = files(bench, tmp_path)
    ended = Making(means(bench, tmp_path, "p"), hand, made).make(order)

    assert len(made.commands.orders) == 1  # type: ignore[attr-defined]
    build = bench.build().value
    assert (ended.why, build.state) == (None, BuildState.BUILT), build.mishap
    assert bench.others.children(paths.REQUESTS) == ()


def test_a_build_is_given_back_when_its_provider_has_left(bench: Bench, tmp_path: Path) -> None:
    """Else it would stay ours for ever; it is no attempt."""
    order = MakeTask(
        build=bench.put_build(),
        recipe=bench.recipe,
        policy=bench.policy,
        parent=None,
        also=(),
        stop=Event(),
    )
    hand = MakingHand(machines=bench.machines, clock=bench.clock)
    ended = Making(means(bench, tmp_path), hand, files(bench, tmp_path)).make(order)

    build = bench.build().value
    assert ended.why == "alpha is not in the configuration any more"
    assert (build.state, build.owner, build.attempt) == (BuildState.REQUESTED, None, 0)
    assert build.mishap is not None
    assert (build.mishap.blame, build.mishap.message) == (Blame.CLOUD, ended.why)


def test_a_copy_is_given_back_when_its_provider_has_left(bench: Bench, tmp_path: Path) -> None:
    """As a build is."""
    upload = bench.put_upload(
        "i1", state=UploadState.MAKING, trying=None, method=Method.CARRY, source=PLACE
    )
    order = CopyTask(
        upload=upload,
        source=upload,
        here="alpha",
        there="alpha",
        policy=bench.policy,
        stop=Event(),
    )
    with_means = means(bench, tmp_path)
    hand: Any = None
    ended = Copying(with_means, Sites(with_means.images), hand).copy(order)

    found = bench.upload().value
    assert ended.why == "alpha is not in the configuration any more"
    assert (found.state, found.owner, found.attempt) == (UploadState.PENDING, None, 0)


def test_a_candidate_waits_for_room_for_a_quarter_of_an_hour(bench: Bench, tmp_path: Path) -> None:
    """Then the next provider of the place is tried."""
    told: list[TrialInCloud] = []

    class Noting:
        def validate(self, order: TrialInCloud, *_: object) -> TrialEnded:
            told.append(order)
            return TrialEnded(id=UPLOAD, provider="p")

    order = TrialTask(
        upload=bench.put_upload("i1"),
        build=bench.put_build(),
        provider="p",
        recipe=bench.recipe,
        policy=bench.policy,
        checks=(),
        wanted=("p",),
        avoid=(),
        stop=Event(),
    )
    Validating(means(bench, tmp_path, "p"), cast("Any", Noting())).validate(order)

    assert [one.room_s for one in told] == [TRIAL_ROOM_S] == [900.0]
