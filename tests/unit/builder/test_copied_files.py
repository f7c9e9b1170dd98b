"""What a step copies is what the build's fingerprint means, or the build does not go on."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from builder.recipe.compile import compile_policy
from remuda.config import trees
from remuda.config.images import BaseFrom, BuildStep
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.model.build import Blame
from remuda.model.image import BuildId
from remuda.runtime.waiting import Waiting
from remuda.ssh.runner import Ran
from remuda.steps.runner import StepContext, StepFailedError, StepRunner
from tests.fakes.clock import ManualClock


class Copying:
    """A machine to which files go; what else it is told works."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile
        self.placed = 0

    def copy_file(self, *_: object, **__: object) -> None:
        """Let something happen meanwhile."""
        self.meanwhile()

    copy_tree = copy_file

    def run_script(self, *_: object, **__: object) -> Ran:
        """Put it in its place."""
        self.placed += 1
        return Ran(exit_code=0, why="", output="")


class Silent:
    """A log that nobody reads."""

    def step(self, name: str) -> None:
        """Leave it out."""

    def write(self, data: bytes) -> None:
        """Leave it out."""


def attempt(source: Path, *, before: Callable[[], object], meanwhile: Callable[[], object]) -> int:
    """Copy by the recipe as it was read before something happened; return how often it was put."""
    step = BuildStep.model_validate(
        {"copy": {"from": str(source), "to": "/opt/x"}, "timeout": "30s"}
    )
    making = ProviderMaking(base=BaseFrom(name="b"), flavor=FlavorFrom(name="f"), username="debian")
    recipe = ImageRecipe(name="noble", makings={"north": making}, steps=(step,))
    policy = compile_policy(recipe, trees.read)
    before()
    machine: Any = Copying(meanwhile)
    log: Any = Silent()
    context = StepContext(
        build=BuildId("noble", 3),
        provider="north",
        recipe=recipe,
        secrets={},
        copied=policy.copied,
    )
    clock = ManualClock()
    waiting = Waiting(clock, Event().is_set, clock.advance)
    StepRunner(session=machine, context=context, waiting=waiting, log=log).run_all()
    return machine.placed


def nothing() -> None:
    """Let nothing happen."""


@pytest.fixture(params=["file", "folder"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return what is copied."""
    top = tmp_path / "it"
    if request.param == "file":
        top.write_text("one")
        return top
    top.mkdir()
    (top / "a").write_text("one")
    return top


def file_of(source: Path) -> Path:
    """Return the file in it."""
    return source / "a" if source.is_dir() else source


def test_what_has_not_changed_is_copied(source: Path) -> None:
    """Nobody minds that it was written again as it was."""
    same = lambda: file_of(source).write_text("one")  # noqa: E731

    assert attempt(source, before=same, meanwhile=same) == 1


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("kind", ["content", "mode"])
def test_what_has_changed_since_the_build_was_asked_for_is_not(
    source: Path, when: str, kind: str
) -> None:
    """The build begins anew, with the recipe of now: under this one's name it would be a lie."""

    def change() -> None:
        if kind == "content":
            file_of(source).write_text("two")
        else:
            file_of(source).chmod(0o755)

    with pytest.raises(StepFailedError) as caught:
        attempt(source, **{"before": nothing, "meanwhile": nothing, when: change})

    failed = caught.value
    assert (failed.blame, failed.step) == (Blame.BUILDER, "copy /opt/x")
    assert "it has changed" in failed.why
    assert str(source) in failed.why
