"""The hand that logs in to a running machine for one script: how a visit ended, in words."""

from collections.abc import Callable
from dataclasses import dataclass

from remuda.redaction import redact_text
from remuda.runtime.clock import Clock
from remuda.ssh.api import ProofSpec, ProofStep, Prover
from remuda.ssh.errors import KeyFileError


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """How a visit ended.

    Attributes:
        why: Why it was in vain; None: it was not.
        again: The machine did not answer this time, and may the next.
        output: What the script printed.
    """

    why: str | None = None
    again: bool = False
    output: str = ""


def run_visit(
    prover: Prover,
    order: ProofSpec | str,
    clock: Clock,
    *,
    limit_s: float,
    stopped: Callable[[], bool],
) -> Visited:
    """Run the script of an order on its machine.

    Args:
        prover: Logs in.
        order: What it is told; or why nobody can log in.
        clock: The time.
        limit_s: For the whole visit.
        stopped: Whether we are to end.
    """
    if isinstance(order, str):
        return Visited(why=order)
    deadline_s = clock.monotonic_s() + limit_s
    try:
        proof = prover.prove(order, stopped=stopped, deadline_s=deadline_s)
    except KeyFileError as exc:
        return Visited(why=str(exc))
    ran = [one for one in proof.steps if one.step is ProofStep.SETUP]
    if proof.ok:
        return Visited(output=ran[-1].output if ran else "")
    why = redact_text(proof.why)
    if not ran:
        why = f"the launcher is not let into the machine: {why}"
    return Visited(why=why, again=proof.too_early or proof.stopped)
