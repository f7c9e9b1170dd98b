"""A trial without a network: what takes it away, in which order, and whose failure an end is; pure.

The machine is an ordinary one, with the network of every other; root on it takes that away, which
needs no right in the cloud, and shows that it is gone, before the recipe's checks and after them
(docs/adr/0031-offline-proof-and-counted-fetches.md).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from remuda.config.parts import CheckFrom
from remuda.model.build import Blame
from remuda.ssh.api import Proof, ProofStep, Script
from remuda.ssh.checks import make_checks

CUT: Final = "network taken away"
STILL: Final = "network still gone"
#: Forty addresses, an attempt of five seconds at each if all of them hang.
CUT_S: Final = 300.0


def offline_scripts(checks: Sequence[CheckFrom]) -> tuple[Script, ...]:
    """Return all that is run on the machine, in order: what passed before it is no proof."""
    return (_phase(CUT, "cut"), *make_checks(checks), _phase(STILL, "still"))


def check_times(proof: Proof) -> tuple[tuple[str, float], ...]:
    """Return how long each of the recipe's own checks took."""
    checks = [one for one in proof.steps if one.step is ProofStep.CHECK]
    return tuple((one.name, one.seconds) for one in checks[1:-1])


def whose(proof: Proof, checks: int) -> Blame:
    """Return whose failure a proof is: what could not be cut off is never taken for proven.

    Args:
        proof: One that failed.
        checks: How many checks the recipe has; ours are before the first and after the last.
    """
    done = [one for one in proof.steps if one.step is ProofStep.CHECK]
    if not done or done[-1].ok or done[-1].broken or proof.too_early:
        return Blame.MACHINE
    return Blame.RECIPE if 1 < len(done) <= 1 + checks else Blame.MACHINE


def _phase(name: str, phase: str) -> Script:
    return Script(
        name=name,
        text=_text(),
        timeout_s=CUT_S,
        as_root=True,
        environment=(("REMUDA_PHASE", phase),),
    )


@cache
def _text() -> str:
    """Return the program; read once, so that a process never runs half of a newer one."""
    return (Path(__file__).parent / "sh" / "offline.sh").read_text(encoding="utf-8")
