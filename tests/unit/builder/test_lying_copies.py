"""Steps that copy, on machines whose root is a stranger (see test_lying_machines)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from remuda.model.build import Blame, BuildState
from remuda.ssh import runner
from tests.support import attacks
from tests.support.liars import (
    COPY,
    PHASES,
    PLACE,
    REMOVE,
    Answer,
    ends_without_a_code,
    lying,
    overruns,
    says,
)
from tests.unit.builder.handbench import Bench
from tests.unit.builder.makings import make, mishap
from tests.unit.builder.test_lying_machines import on

PREPARED = "prepare"


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our own limit of a script follow the machine's at once."""
    monkeypatch.setattr(runner, "_GRACE_S", 0.1)


def a_file(folder: Path) -> Path:
    """Return a file to copy."""
    (folder / "tool.conf").write_text("answer = 42\n")
    return folder / "tool.conf"


def a_folder(folder: Path) -> Path:
    """Return a folder to copy."""
    a_file(folder)
    return folder


@pytest.fixture(params=[a_file, a_folder])
def step(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, object]:
    """Return a step that copies a file, or a folder, and has two tries and little time."""
    (tmp_path / "source").mkdir()
    make_one: Callable[[Path], Path] = request.param
    source = make_one(tmp_path / "source")
    copied = {"source": str(source), "to": "/opt/tool"}
    return {"copy": copied, "name": "tool", "timeout": "1s", "retries": 1}


def test_a_machine_that_says_it_took_all_is_believed(bench: Bench, step: dict[str, object]) -> None:
    """It is root's word; else what follows would prove nothing."""
    with lying() as liar:
        on(bench, liar, step)
        ended = make(bench)

    assert ended.why is None
    rest = [one for one in PHASES if one not in {PREPARED, "step"}]
    assert liar.heard == [PREPARED, COPY, PLACE, *rest]
    assert bench.build().value.state is BuildState.BUILT


@pytest.mark.parametrize("phase", [COPY, PLACE])
@pytest.mark.parametrize("way", [attacks.closes, ends_without_a_code, overruns])
def test_a_machine_that_breaks_off_in_a_copy_is_to_blame(
    bench: Bench, step: dict[str, object], phase: str, way: Answer
) -> None:
    """The recipe is not, and nothing is tried once more on it."""
    with lying(**{phase: way}) as liar:
        on(bench, liar, step)
        make(bench)
        wrong = mishap(bench)

    assert wrong.blame is Blame.MACHINE, wrong
    assert liar.heard[-1] == phase
    assert liar.heard.count(COPY) == 1
    assert bench.images.snapshots == []


def test_what_a_machine_does_not_take_is_sent_as_often_as_the_step_says(
    bench: Bench, step: dict[str, object]
) -> None:
    """What has come is removed between; its words are few, visible, and nobody's but its own."""
    with lying(**{COPY: says("no \x1b[2J room\n" * 9000, code=2)}) as liar:
        on(bench, liar, step)
        make(bench)
        wrong = mishap(bench)

    assert liar.heard == [PREPARED, COPY, REMOVE, COPY, REMOVE]
    assert wrong.blame is Blame.RECIPE
    assert "tried 2 times" in wrong.message
    assert "\x1b" not in wrong.message
    assert len(wrong.message) < 600


def test_a_machine_that_takes_for_ever_is_left_at_the_limit(
    bench: Bench, step: dict[str, object]
) -> None:
    """Whoever wants more time for a file says so in the step."""
    with lying(**{COPY: attacks.nothing, REMOVE: attacks.closes}) as liar:
        on(bench, liar, step)
        make(bench)
        wrong = mishap(bench)

    assert liar.heard[-2:] == [COPY, REMOVE]
    assert wrong.blame is Blame.MACHINE
    assert bench.images.snapshots == []
