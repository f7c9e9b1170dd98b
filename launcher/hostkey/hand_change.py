"""The hand that has a held machine make itself a host key, and show it."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.hostkey.actions import MakeHostKey, SwitchHostKey
from launcher.hostkey.events import HostKeyTried
from launcher.hostkey.orders import CHANGE_S, made_key
from launcher.node.hand_visiting import Visited, run_visit
from remuda.model.heldkey import HostKeyEvent
from remuda.redaction import redact_text
from remuda.runtime.clock import Clock
from remuda.ssh.api import ProofSpec, Prover


@dataclass(slots=True)
class HostKeyHands:
    """What is done about host keys over SSH."""

    prover: Prover
    stopped: Callable[[], bool]
    clock: Clock

    def make(self, action: MakeHostKey, order: ProofSpec | str) -> HostKeyTried:
        """Have a key made, or say why there is none, or that the one made before is shown."""
        before = action.unless
        if before and isinstance(order, ProofSpec) and self._shows(before, order) is None:
            return HostKeyTried(node=action.node, wanted=HostKeyEvent.SHOWN, key=before)
        visited = self._visit(order)
        key = made_key(visited.output)
        if visited.why is None and key is None:
            visited = Visited(why="the machine does not say which host key it has made")
        return HostKeyTried(
            node=action.node,
            wanted=HostKeyEvent.MADE,
            key=key,
            why=visited.why,
            again=visited.again,
        )

    def switch(self, action: SwitchHostKey, order: ProofSpec | str) -> HostKeyTried:
        """Have the new key shown; that it is, another connection tells, before and afterwards.

        Before, for whoever did this last may have died before it was on record.
        """
        visited = Visited(why=order) if isinstance(order, str) else self._switched(action, order)
        return HostKeyTried(
            node=action.node,
            wanted=HostKeyEvent.SHOWN,
            key=action.key,
            why=visited.why,
            again=visited.again,
        )

    def _switched(self, action: SwitchHostKey, order: ProofSpec) -> Visited:
        if self._shows(action.key, order) is None:
            return Visited()
        visited = self._visit(order)
        if visited.why is not None:
            return visited
        why = self._shows(action.key, order)
        return Visited(why=why, again=why is not None)  # sshd may not be back yet

    def _shows(self, key: str, order: ProofSpec) -> str | None:
        """Return why a connection does not meet a key; None: it does."""
        login = order.login
        why = self.prover.probe(login.address, login.port, host_keys=(key,))
        return None if why is None else redact_text(why)

    def _visit(self, order: ProofSpec | str) -> Visited:
        return run_visit(self.prover, order, self.clock, limit_s=CHANGE_S, stopped=self.stopped)
