"""Holders who have images made of their machines: rightly, of others' machines, and wrongly named.

They ask as `node.capture` does, and wait for the snapshot, or give the node back before.
"""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from remuda.images.capturefate import CaptureFate, Fate, fate_of
from remuda.model import node as nodes
from remuda.model.capture import CaptureAsk, ask_fields
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Check, Set
from tests.simulation.capturerules import Asked, CaptureRules
from tests.simulation.imagesetting import CAPTURED

if TYPE_CHECKING:
    from tests.simulation.clients import Client
    from tests.simulation.simulation import Simulation

#: Nobody waits longer for a snapshot.
PATIENCE_S: Final = 120.0


@dataclass(slots=True)
class Captor:
    """What one client wants of its machines.

    Attributes:
        always: It captures its first node for sure, and waits for the snapshot.
        fates: What it has learned of its asks, in order.
    """

    client: "Client"
    always: bool = False
    fates: list[CaptureFate] = field(default_factory=list)
    rng: random.Random = field(init=False)
    _ask: CaptureAsk | None = None
    _node: NodeId | None = None
    _until_s: float = 0.0
    _asks: int = 0

    def __post_init__(self) -> None:
        """Take a source of chance of its own."""
        self.rng = self.simulation.random(f"{self.client.name} captures")

    @property
    def simulation(self) -> "Simulation":
        """Where it lives."""
        return self.client.simulation

    @property
    def rules(self) -> CaptureRules | None:
        """Who watches; None: there are no captures here."""
        images = self.simulation.oracle.images
        return images.captures if images is not None and images.images.captured else None

    def begin(self) -> None:
        """Have something captured a little later, perhaps."""
        wanted = self.always or (not self.simulation.calm and self.rng.random() < 0.6)
        if self.rules is None or not wanted:
            return
        delay_s = self.rng.uniform(0.0, 4.0)
        self.simulation.timetable.after(delay_s, self._capture)
        if self.always or self.rng.random() < 0.6:
            self._until_s = self.simulation.timetable.now_s() + PATIENCE_S

    @property
    def waits(self) -> bool:
        """Whether its nodes are not to be given back yet."""
        if self.simulation.timetable.now_s() >= self._until_s:
            return False
        if self._ask is None:
            return self._asks == 0  # it is about to ask
        fate = self._fate()
        if not self.fates or self.fates[-1] != fate:
            self.fates.append(fate)
        if not fate.open:
            self.client._note("hears of its capture", fate=fate.fate, why=fate.why or None)
            self._ask = None
        return fate.open

    def _capture(self) -> None:
        client = self.client
        self._asks += 1
        if client.ended or not client.locks:
            return
        kind = "mine" if self.always else self.rng.choice(("mine",) * 6 + ("other's", "odd"))
        mine = self.rng.choice(sorted(client.locks))
        if kind == "other's":
            self._steal(client.locks[mine])
        else:
            image = self.rng.choice(("core", "nothing")) if kind == "odd" else CAPTURED
            self._order(mine, image, client.locks[mine])
            if not self.always and self.rng.random() < 0.2:
                self._order(mine, CAPTURED, client.locks[mine])  # once more, while it is answered

    def _steal(self, contender: str) -> None:
        """Ask for an image of a machine that somebody else has, in its record."""
        others = [
            node_id
            for client in self.simulation.clients
            if client is not self.client
            for node_id in client.locks
            if (node := self.simulation.oracle.node(node_id)) is not None
            if node.state is NodeState.IN_USE
        ]
        if others:
            self._order(self.rng.choice(sorted(others)), CAPTURED, contender, held=False)

    def _order(self, node_id: NodeId, image: str, contender: str, *, held: bool = True) -> None:
        """Write what is asked into the record of a node, under the lock if it is ours."""
        client, rules = self.client, self.rules
        node = self.simulation.oracle.node(node_id)
        if rules is None or node is None or node.state is not NodeState.IN_USE:
            return
        token = f"{client.name}-{self._asks}-{len(rules.asked)}"
        now_s = self.simulation.timetable.clock.now_s()
        name = contender.rpartition("/")[2]
        ask = CaptureAsk(image=image, token=token, contender=name, at_s=round(now_s, 3))
        where = paths.node(node_id)
        asking = nodes.encode(node.with_fields(**ask_fields(ask)))
        rules.asked[token] = Asked(
            node=node_id, image=image, session=client.session, who=client.name
        )
        done = client._commit(
            *([Check(path=contender)] if held else []),
            Set(path=where, data=asking, version=client._version(where)),
        )
        client._note("asks for an image", node=node_id, image=image, done=done is not None)
        if held and done is not None:
            self._ask, self._node = ask, node_id

    def _fate(self) -> CaptureFate:
        """Return how far it has come, as the real requestor judges it."""
        assert self._ask is not None
        assert self._node is not None
        oracle, node = self.simulation.oracle, self.simulation.oracle.node(self._node)
        provider = "" if node is None else str(node.provider)
        launch = oracle.launch(provider, self._node)
        build_id = None if launch is None or launch.capture is None else launch.capture.build
        build = None if build_id is None or oracle.images is None else oracle.images.build(build_id)
        return fate_of(self._ask, launch, build)


def kept(captor: Captor) -> bool:
    """Whether what it asked has become an image."""
    return any(one.fate is Fate.KEPT for one in captor.fates)
