"""What a machine is blamed for that was not proven in time: the last thing it failed."""

import pytest

from launcher.node.actions import Condemn
from remuda.metrics.results import Result
from remuda.model.launch import Step
from remuda.ssh.api import Proof, ProofStep, StepTaken
from tests.unit.launcher.worlds import NOW, add_node, know, of_kind, think, world

_LATE_S = 10_000.0


def tried(step: ProofStep, why: str, *, stopped: bool = False) -> Proof:
    """Return an attempt that came too early."""
    taken = StepTaken(step=step, name=str(step), seconds=0.1, ok=False, why=why)
    return Proof(ok=False, steps=(taken,), too_early=True, stopped=stopped)


@pytest.mark.parametrize(
    ("proof", "result", "why"),
    [
        (None, Result.SSH, ""),
        (tried(ProofStep.CONNECT, "connection refused"), Result.NETWORK, "connection refused"),
        (tried(ProofStep.HOST_KEY, "another key"), Result.KEYSCAN, "another key"),
        (tried(ProofStep.LOGIN, "not let in"), Result.SSH, "not let in"),
        (tried(ProofStep.CONNECT, "told to stop", stopped=True), Result.SSH, ""),
    ],
    ids=["never tried", "network", "host key", "login", "stopped"],
)
def test_what_was_failed_last_is_blamed(proof: Proof | None, result: Result, why: str) -> None:
    """A network that refuses until the end is a network that refuses, in metrics and evidence."""
    made = world()
    planned = {"planned_s": NOW.wall_s - _LATE_S}
    view = add_node(made, 1, step=Step.PROVING, launch=planned)
    know(view, last=proof)
    made.touch_node(view)

    (condemned,) = of_kind(think(made), Condemn)

    assert condemned.result is result
    assert why in condemned.cause
    assert "too long" in condemned.cause
