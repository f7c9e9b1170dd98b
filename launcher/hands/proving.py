"""The SSH hands: prove a new machine, look after a waiting one."""

from collections.abc import Callable
from dataclasses import dataclass

from launcher.decide.doors import Door
from launcher.events import Knocked, Proved
from launcher.orders import ServerOrders
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.redaction import redact_text
from remuda.ssh.api import Prover


@dataclass(slots=True)
class ProvingHands:
    """What is done over SSH; every method returns the event of one action."""

    prover: Prover
    stopped: Callable[[], bool]

    def prove(
        self, launch: Launch, orders: ServerOrders, address: str, *, until_s: float
    ) -> Proved:
        """Make one attempt to prove a machine; it has to end by *until_s* (monotonic)."""
        order = orders.proof(launch, address)
        proof = self.prover.prove(order, stopped=self.stopped, deadline_s=until_s)
        return Proved(node=launch.id, proof=proof)

    def knock(self, node: NodeId, door: Door | None, *, begun_s: float) -> Knocked:
        """See whether a waiting ready node still answers, and is the one that we made."""
        if door is None:
            return Knocked(node=node, why="nobody knows its address", begun_s=begun_s)
        why = self.prover.knock(door.address, door.port, host_keys=door.host_keys)
        return Knocked(node=node, why=why and redact_text(why), begun_s=begun_s)
