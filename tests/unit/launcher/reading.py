"""A launcher that is fed records by hand, and whose writes are looked at but go nowhere."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from launcher.fold import Fold
from launcher.node.fold import NodeFold
from launcher.node.proof import Access, ProofView
from launcher.provider.status import our_status
from launcher.reporting import Reporter
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.frame.set_aside import SetAside
from remuda.metrics.sink import Metrics, NullMetrics
from remuda.model.ids import ServerId, node_ids_of_block
from remuda.model.status import encode_status
from remuda.runtime.now import Now
from remuda.store.api import Create, Gone, Op, Put, Set, Stored
from tests.support.badrecords import (
    DOCS,
    PLACES,
    raw_of,
)
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_request, think, world

LATER = (NOW, replace(NOW, wall_s=NOW.wall_s + 100, mono_s=NOW.mono_s + 100))
FOLDED = (
    "request",
    "builder's request",
    "node",
    "launch",
    "claim",
    "status",
    "pool",
    "replica",
    "permit",
)


@dataclass
class Heard:
    """A log that keeps what is more than news."""

    warnings: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def debug(self, event: str, **fields: Any) -> None:
        """Leave it out."""

    info = debug

    def warning(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.warnings.append({"event": event, **fields})

    def error(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.errors.append({"event": event, **fields})


class Counted(NullMetrics):
    """Counts records that were set aside."""

    def __init__(self) -> None:
        super().__init__()
        self.aside: list[str] = []
        self.bugs: list[str] = []

    def count_record_set_aside(self, kind: str) -> None:
        """Count it."""
        self.aside.append(kind)

    def count_record_error(self, kind: str) -> None:
        """Count it."""
        self.bugs.append(kind)


class Launcher:
    """A launcher's thread of thought, fed by hand, whose writes are looked at but go nowhere."""

    def __init__(self) -> None:
        # Ready nodes are looked at as soon as they are known.
        self.world: World = world(labels={"small": {"recheck": "5s"}})
        self.works = Works(self.world)
        self.log, self.metrics = Heard(), Counted()
        self.fold = Fold(
            world=self.world,
            aside=SetAside(log=self.log, metrics=self.metrics),
            read=lambda _: None,
            nodes=NodeFold(self.world, set(), lambda _: None),
        )
        self.works.starter.writer._ids = list(node_ids_of_block(1))
        self.works.starter.writer.sender.ground.store.commit_later = self._sent  # type: ignore[method-assign]
        self.sent: list[Op] = []

    def _sent(self, ops: Sequence[Op], _done: object) -> None:
        for op in ops:
            op.path.encode()
            if isinstance(op, Set | Create) and op.data.startswith(b"{"):
                json.loads(op.data, parse_constant=pytest.fail)
        self.sent += ops

    def put(self, records: Mapping[str, bytes], version: int = 1) -> None:
        """Tell what lies in ZooKeeper; by kind of record."""
        for kind in FOLDED:
            if kind in records:
                owner = 7 if kind in {"pool", "replica"} else 0  # they go with a session
                stored = Stored(
                    path=PLACES[kind], value=records[kind], version=version, owner=owner
                )
                self.fold.fold(Put(path=PLACES[kind], stored=stored), now_s=NOW.mono_s)

    def show_servers(self) -> None:
        """Let the cloud show every server, and every proof pass: all steps may be taken."""
        for view in self.world.nodes.views.values():
            view.proof = ProofView(access=Access.PROVEN, host_keys=("ssh-ed25519 AAAA",))
            view.server.shown = Server(
                id=view.server.id or ServerId("s"),
                name="np",
                status=ServerStatus.ACTIVE,
                public_ipv4="198.18.0.9",
            )
            self.world.touch_node(view)

    def turn(self, now: Now = NOW) -> list[Any]:
        """Think of everything, begin what follows, and tell how we stand."""
        plan = think(self.world, now)
        for action in plan.actions:
            self.works.starter.start(action, now)
        encode_status(our_status(self.world, now))
        Reporter(world=self.world, metrics=Metrics(())).report(now)
        return list(plan.actions)


def right(**others: bytes) -> dict[str, bytes]:
    """Return right records of all kinds, with some replaced."""
    return {**{kind: raw_of(DOCS[kind]) for kind in FOLDED}, **others}


def live_through(records: Mapping[str, bytes]) -> Launcher:
    """Let a launcher read records, and go on for a while."""
    one = Launcher()
    add_request(one.world, 50, "small", "small")
    add_request(one.world, 51, "large", reuse=False)
    one.put(right())
    one.put(records, version=2)
    one.show_servers()
    for now in LATER:
        one.turn(now)
    for kind in FOLDED:
        one.fold.fold(Gone(path=PLACES[kind]), now_s=NOW.mono_s)
    one.turn(LATER[-1])

    assert one.log.errors == []
    assert one.metrics.bugs == []
    return one


def of_kind_of(actions: Iterable[object], *kinds: type) -> list[object]:
    """Return the actions of some kinds."""
    return [action for action in actions if isinstance(action, kinds)]
