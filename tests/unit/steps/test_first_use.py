"""The steps of a recipe on the machine of a first use: how they end, and what is told of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from remuda.config.fingerprint import Trees
from remuda.config.images import BaseFrom, BuildStep
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.model.image import BuildId
from remuda.ssh.api import OUT_OF_TIME, ProofStep, RunEnd, Script, StepTaken
from remuda.ssh.errors import ConnectionLostError
from remuda.ssh.runner import STOPPED, Ran
from remuda.steps.first_use import BEGINNING, FirstUse
from remuda.steps.room import CLOUD_INIT_S_MAX, SLACK_S, room_s, waits_s
from remuda.steps.runner import StepContext
from remuda.steps.scripts import BEGUN_BEFORE
from tests.fakes.clock import ManualClock

DONE: Final = Ran(exit_code=0, why="", output="said")


def recipe_of(*steps: dict[str, Any]) -> ImageRecipe:
    """Return a recipe with these steps."""
    making = ProviderMaking(base=BaseFrom(name="b"), flavor=FlavorFrom(name="f"), username="debian")
    read = tuple(BuildStep.model_validate({"timeout": "30s", **one}) for one in steps)
    return ImageRecipe(name="noble", makings={"north": making}, steps=read)


class Machine:
    """A machine that ends scripts as it was told, by their names; others go well."""

    def __init__(self, ends: dict[str, Ran | Exception]) -> None:
        self.ends = ends
        self.scripts: list[Script] = []

    def run_script(self, script: Script, **_: object) -> Ran:
        """End one."""
        self.scripts.append(script)
        end = self.ends.get(script.name, DONE)
        if isinstance(end, Exception):
            raise end
        return end

    def copy_file(self, *_: object, **__: object) -> None:
        """Take one."""


def run(
    *steps: dict[str, Any],
    ends: dict[str, Ran | Exception] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    copied: Trees | None = None,
) -> tuple[RunEnd, list[StepTaken], Machine]:
    """Run steps; return how they ended, what was told, and the machine."""
    context = StepContext(
        build=BuildId("noble", 0),
        provider="north",
        recipe=recipe_of(*steps),
        secrets={},
        copied=copied or {},
    )
    machine, told = Machine(ends or {}), list[StepTaken]()
    session: Any = machine
    one = FirstUse(context=context, mark="3000000001")
    end = one.run(session, clock=ManualClock(), stopped=stopped, take=told.append)
    assert [each.name for each in told] == list(one.names)[: len(told)]
    assert {each.step for each in told} == {ProofStep.STEP}
    return end, told, machine


TWO: Final = ({"command": "a", "name": "one"}, {"command": "b", "name": "two"})


def test_all_steps_run_in_order_after_cloud_init() -> None:
    """The first script marks the machine; steps are told that they are for no build."""
    end, told, machine = run(*TWO)

    assert end is RunEnd.DONE
    assert [one.ok for one in told] == [True] * 3
    assert [one.name for one in machine.scripts] == [BEGINNING, "one", "two"]
    assert machine.scripts[0].arguments == (
        "/var/tmp/remuda-first-use-3000000001",  # noqa: S108 - as it is on the machine
        f"{CLOUD_INIT_S_MAX:g}",
    )
    assert dict(machine.scripts[1].environment)["REMUDA_BUILD"] == "0"
    assert told[1].output == "said"


ENDS: Final = [
    (BEGINNING, Ran(exit_code=BEGUN_BEFORE, why="x", output=""), RunEnd.SPOILED),
    (BEGINNING, Ran(exit_code=1, why="x", output=""), RunEnd.FAILED),
    (BEGINNING, Ran(exit_code=None, why=STOPPED, output=""), RunEnd.STOPPED),
    ("one", Ran(exit_code=1, why="no mirror", output="no mirror"), RunEnd.FAILED),
    ("one", Ran(exit_code=None, why=OUT_OF_TIME, output=""), RunEnd.FAILED),
    ("one", Ran(exit_code=None, why="gone", output="", lost=True), RunEnd.FAILED),
    ("one", Ran(exit_code=None, why=STOPPED, output=""), RunEnd.STOPPED),
    ("one", ConnectionLostError("the connection broke"), RunEnd.FAILED),
]


@pytest.mark.parametrize(("name", "ran", "expected"), ENDS)
def test_the_first_that_fails_ends_it(name: str, ran: Ran | Exception, expected: RunEnd) -> None:
    """No other follows, and the last that is told says why."""
    end, told, machine = run(*TWO, ends={name: ran})

    assert end is expected
    assert [one.ok for one in told] == [True] * (len(told) - 1) + [False]
    assert told[-1].name == name == machine.scripts[-1].name
    assert told[-1].why


def test_a_file_that_is_gone_or_changed_is_a_failure_as_any_other(tmp_path: Path) -> None:
    """The next machine would fail as well: it must not be free of charge."""
    path = tmp_path / "one"
    copying = {"copy": {"from": str(path), "to": "/x"}}
    end, told, _ = run(copying)
    assert end is RunEnd.FAILED
    assert "does not exist" in told[-1].why

    path.write_text("now")
    end, told, _ = run(copying, copied={str(path): ()})
    assert end is RunEnd.FAILED
    assert "has changed" in told[-1].why


def test_who_is_told_to_stop_stops_before_the_next_step() -> None:
    """It says nothing of the machine."""
    end, told, machine = run(*TWO, stopped=lambda: True)
    assert end is RunEnd.STOPPED
    assert (told[-1].name, told[-1].why) == ("one", STOPPED)
    assert len(machine.scripts) == 1


def test_steps_have_room_for_every_retry() -> None:
    """And for the waits between, and for cloud-init."""
    assert room_s(recipe_of()) == CLOUD_INIT_S_MAX + SLACK_S
    more_s = room_s(recipe_of({"command": "a", "retries": 2})) - room_s(recipe_of())
    assert more_s == 3 * 30.0 + sum(waits_s(2))
    assert list(waits_s(6)) == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
