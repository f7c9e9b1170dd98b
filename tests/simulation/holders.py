"""People who have machines kept: rightly, of others, for longer, and for the next failure.

They write as `remuda hold`, `extend` and `autohold` do, and sometimes what those never would.
"""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from remuda.model import node as nodes
from remuda.model.autohold import Autohold, encode_autohold
from remuda.model.holdwish import ExtendWish, HoldWish, wish_fields, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Check, Create, Set
from tests.simulation.holdrules import HoldRules

if TYPE_CHECKING:
    from tests.simulation.clients import Client
    from tests.simulation.simulation import Simulation

#: So many of those who hold a machine forget its lock.
FORGETS: Final = 0.5


@dataclass(slots=True)
class Holder:
    """What one client wants of its machines.

    Attributes:
        always: It has its nodes kept for sure, rightly, and once for longer.
        forgets: It keeps the locks of what it holds for ever.
    """

    client: "Client"
    always: bool = False
    forgets: bool = False
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Take a source of chance of its own."""
        self.rng = self.simulation.random(f"{self.client.name} holds")
        self.forgets = self.rules is not None and self.rng.random() < FORGETS

    @property
    def simulation(self) -> "Simulation":
        """Where it lives."""
        return self.client.simulation

    @property
    def rules(self) -> HoldRules | None:
        """Who watches; None: nobody holds anything here."""
        return self.simulation.oracle.holds

    def begin(self) -> None:
        """Wish something a little later, perhaps."""
        if self.rules is None or not (self.always or self.client._chance(0.6)):
            return
        self.simulation.timetable.after(self.rng.uniform(0.0, 1.0), self._wish)

    def _wish(self) -> None:
        client = self.client
        for node_id, contender in sorted(client.locks.items()):
            kind = "mine" if self.always else self.rng.choice(("mine", "mine", "odd", "long"))
            name = contender.rpartition("/")[2]
            if kind == "odd":
                others = [c for one in self.simulation.clients for c in one.locks.values()]
                name = self.rng.choice(others).rpartition("/")[2]
            self._write(node_id, name, 1e6 if kind == "long" else self.rng.choice((5.0, 20.0)))

    def _write(self, node_id: NodeId, contender: str, for_s: float) -> None:
        client, rules = self.client, self.rules
        node = self.simulation.oracle.node(node_id)
        if rules is None or node is None or node.state is not NodeState.IN_USE:
            return
        token = f"{client.name}-{len(rules.wished)}"
        rules.wished[token] = (node_id, contender)
        wish = HoldWish(
            token=token,
            owner=client.name,
            reason="red",
            at_s=client._now_s(),
            for_s=for_s,
            contender=contender,
        )
        where = paths.node(node_id)
        data = nodes.encode(node.with_fields(**wish_fields(wish)))
        mine = client.locks[node_id]
        client._commit(Check(path=mine), Set(path=where, data=data, version=client._version(where)))
        client._note("wishes a hold", node=node_id, token=token)
        for _ in range(1 if self.always else self.rng.randrange(3)):
            by = client.name if self.always else self.rng.choice((client.name, "somebody"))
            delay_s = self.rng.uniform(1.0, 40.0)
            self.simulation.timetable.after(delay_s, lambda by=by: self._extend(node_id, by))

    def _extend(self, node_id: NodeId, by: str) -> None:
        client, rules = self.client, self.rules
        node = self.simulation.oracle.node(node_id)
        if rules is None or node is None or node.state is not NodeState.HOLD:
            return
        wish = wish_of(node)
        if wish is None:
            return
        more = ExtendWish(
            token=f"e{self.rng.randrange(10**9)}", by=by, for_s=10.0, at_s=client._now_s()
        )
        after: Any = nodes.encode(
            node.with_fields(
                **wish_fields(HoldWish(**{**_as_dict(wish), "extend": (*wish.extend, more)}))
            )
        )
        where = paths.node(node_id)
        client._commit(Set(path=where, data=after, version=client._version(where)))


def _as_dict(wish: HoldWish) -> dict[str, Any]:
    return {name: getattr(wish, name) for name in HoldWish.__slots__}


def wait_for_failures(simulation: "Simulation", number: int, *, count: int) -> None:
    """Have somebody wait for failures of any requestor."""
    now_s = simulation.timetable.clock.now_s()
    one = Autohold(
        id=f"a{number}",
        owner=f"person{number}",
        reason="flaky",
        count=count,
        for_s=15.0,
        made_s=now_s,
        until_s=now_s + simulation.setting.chaos_s,
        requestor="client*",
    )
    store = simulation.zookeeper
    for path in ("/remuda", paths.AUTOHOLDS):
        if store.tree.get(path) is None:
            store.commit([Create(path=path)], store.next_id())
    store.commit([Create(path=paths.autohold(one.id), data=encode_autohold(one))], store.next_id())
