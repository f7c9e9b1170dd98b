"""The hand that looks who is logged in on a held machine."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.hold.actions import LookIn
from launcher.hold.events import LookedIn
from launcher.hold.orders import LOOK_IN_S, logins
from launcher.hold.view import Visit
from remuda.redaction import redact_text
from remuda.runtime.clock import Clock
from remuda.ssh.api import ProofSpec, Prover
from remuda.ssh.errors import KeyFileError


@dataclass(slots=True)
class LookHands:
    """What is done on held machines over SSH."""

    prover: Prover
    stopped: Callable[[], bool]
    clock: Clock

    def look_in(self, action: LookIn, order: ProofSpec | str) -> LookedIn:
        """Look, and tell people what there is to tell."""
        found, why = None, order if isinstance(order, str) else None
        if not isinstance(order, str):
            deadline_s = self.clock.monotonic_s() + LOOK_IN_S
            try:
                proof = self.prover.prove(order, stopped=self.stopped, deadline_s=deadline_s)
            except KeyFileError as exc:
                why = str(exc)
            else:
                why = None if proof.ok else redact_text(proof.why)
                found = logins(proof.steps) if proof.ok else None
        visit = Visit(
            at_s=round(self.clock.now_s(), 3),
            logins=found,
            warned=action.warning is not None and found is not None,
            why=why,
        )
        return LookedIn(node=action.node, visit=visit)
