"""The SSH hands: prove a new machine, look after a waiting one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from launcher.events import Event
from launcher.node.events import Probed, Proved, ScriptBegun
from launcher.node.probing import ProbeTarget
from launcher.server.specs import ServerSpecs
from remuda.model.ids import NodeId
from remuda.model.launch import Launch
from remuda.redaction import redact_text
from remuda.runtime.clock import Clock
from remuda.runtime.inbox import Inbox
from remuda.ssh.api import ProofSpec, ProofStep, Prover, StepTaken


@dataclass(slots=True)
class ProvingHands:
    """What is done over SSH; every method returns the event of one action."""

    prover: Prover
    stopped: Callable[[], bool]
    clock: Clock
    inbox: Inbox[Event]

    def prove(
        self,
        launch: Launch,
        specs: ServerSpecs,
        address: str,
        *,
        until_s: float,
        login_by_s: float,
    ) -> Proved:
        """Make one attempt to prove a machine, and tell when it has come as far as a script.

        It has to be in by *login_by_s* and to end by *until_s* (both monotonic).
        """
        order = specs.proof(launch, address)
        order = replace(order, on_step=_Telling(launch.id, order, self.clock, self.inbox).take)
        proof = self.prover.prove(
            order, stopped=self.stopped, deadline_s=until_s, login_by_s=login_by_s
        )
        return Proved(node=launch.id, proof=proof)

    def probe(self, node: NodeId, target: ProbeTarget | None, *, begun_s: float) -> Probed:
        """See whether a waiting ready node still answers, and is the one that we made."""
        if target is None:
            return Probed(node=node, why="nobody knows its address", begun_s=begun_s)
        why = self.prover.probe(target.address, target.port, host_keys=target.host_keys)
        return Probed(node=node, why=why and redact_text(why), begun_s=begun_s)


@dataclass(slots=True)
class _Telling:
    """Tells which script of a proof begins: whatever follows the login, or another script.

    Steps of a recipe are such, too.
    """

    node: NodeId
    order: ProofSpec
    clock: Clock
    inbox: Inbox[Event]
    left: list[tuple[ProofStep, str]] = field(init=False)

    def __post_init__(self) -> None:
        """Know what follows."""
        recipe = () if self.order.recipe is None else self.order.recipe.names
        setup = () if self.order.setup is None else ((ProofStep.SETUP, self.order.setup.name),)
        steps = ((ProofStep.STEP, name) for name in recipe)
        self.left = [*steps, *setup, *((ProofStep.CHECK, one.name) for one in self.order.checks)]

    def take(self, taken: StepTaken) -> None:
        """Take one step that ended."""
        if taken.ok and taken.step not in (ProofStep.CONNECT, ProofStep.HOST_KEY) and self.left:
            step, name = self.left.pop(0)
            begun = ScriptBegun(node=self.node, step=step, name=name, at_s=self.clock.now_s())
            # What takes longer than a moment is written down; nobody asks before.
            self.inbox.event(begun, urgent=False)
