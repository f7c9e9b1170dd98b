"""The hand that lets somebody onto a running machine."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.guest.actions import LetIn
from launcher.guest.events import GuestTried
from launcher.guest.orders import LET_IN_S
from remuda.redaction import redact_text
from remuda.runtime.clock import Clock
from remuda.ssh.api import ProofSpec, Prover
from remuda.ssh.errors import KeyFileError


@dataclass(slots=True)
class GuestHands:
    """What is done for guests over SSH."""

    prover: Prover
    stopped: Callable[[], bool]
    clock: Clock

    def let_in(self, action: LetIn, order: ProofSpec | str) -> GuestTried:
        """Put a guest key onto a machine, or say why that cannot be."""
        if isinstance(order, str):
            return GuestTried(node=action.node, key=action.key, why=order)
        deadline_s = self.clock.monotonic_s() + LET_IN_S
        try:
            proof = self.prover.prove(order, stopped=self.stopped, deadline_s=deadline_s)
        except KeyFileError as exc:
            return GuestTried(node=action.node, key=action.key, why=str(exc))
        if proof.ok:
            return GuestTried(node=action.node, key=action.key, why=None)
        why = f"the launcher is not let into the machine: {redact_text(proof.why)}"
        again = proof.too_early or proof.stopped
        return GuestTried(node=action.node, key=action.key, why=why, again=again)
