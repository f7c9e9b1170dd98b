"""Folding changes of ZooKeeper into the world."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from launcher.fold import Fold
from launcher.node.actions import Condemn
from launcher.node.fold import NodeFold
from launcher.server.actions import DeleteServer
from launcher.world import World
from remuda.frame.set_aside import SetAside
from remuda.metrics.sink import NullMetrics
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.claim import encode_claim
from remuda.model.component import Replica, encode_replica
from remuda.model.ids import NodeId, ReplicaId, RequestId, ServerId
from remuda.model.launch import Launch, Step
from remuda.model.node import Node, NodeState
from remuda.model.status import LabelStatus, ProviderStatus, encode_status
from remuda.store import paths
from remuda.store.api import Change, Dirty, Gone, Put, Stored, Synced
from tests.unit.launcher.worlds import ME, add_node, of_kind, think, world

NODE = NodeId("3000000001")
REQUEST = RequestId("200-0000000001")
CONTENDER = f"{paths.request_lock(REQUEST)}/x"


@dataclass
class Heard:
    """A log that keeps its warnings."""

    warnings: list[dict[str, Any]] = field(default_factory=list)

    def debug(self, event: str, **fields: Any) -> None:
        """Leave it out."""

    info = error = debug

    def warning(self, event: str, **fields: Any) -> None:
        """Keep it."""
        self.warnings.append({"event": event, **fields})


@dataclass
class Folding:
    """A fold with what it may touch."""

    world: World = field(default_factory=world)
    log: Heard = field(default_factory=Heard)
    mine: set[NodeId] = field(default_factory=set)
    read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the fold."""
        self.fold = Fold(
            world=self.world,
            aside=SetAside(log=self.log, metrics=NullMetrics()),
            read=self.read.append,
            nodes=NodeFold(self.world, self.mine, self.read.append),
        )

    def put(self, path: str, data: bytes, version: int = 0, *, owner: int = 0) -> None:
        """Tell what a znode contains, and whose session it goes with."""
        stored = Stored(path=path, value=data, version=version, owner=owner)
        self.fold.fold(Put(path=path, stored=stored), now_s=1.0)

    def tell(self, change: Change) -> None:
        """Tell another change."""
        self.fold.fold(change, now_s=1.0)


def launch(**fields: Any) -> bytes:
    """Return a launch record."""
    usual = {
        "id": NODE,
        "pool": "main",
        "label": "small",
        "step": Step.DONE,
        "owner": ME,
        "planned_s": 1.0,
        "asked_by_s": 2.0,
    }
    return launches.encode(Launch(**{**usual, **fields}))


def node(**fields: Any) -> bytes:
    """Return a node record."""
    return nodes.encode(
        Node(**{"id": NODE, "state": NodeState.READY, "labels": ("small",), **fields})
    )


def request(**fields: Any) -> bytes:
    """Return a request record."""
    return json.dumps({"node_types": ["small"], "state": "requested", **fields}).encode()


@pytest.mark.parametrize("locked", [True, False])
def test_a_lock_that_is_told_before_its_node_is_known_all_the_same(*, locked: bool) -> None:
    """Mirrors load side by side; a launch may be read last, or be written again."""
    folding, lock = Folding(), paths.node_lock(NODE)
    for path in (lock, f"{lock}/one", f"{lock}/two"):
        folding.tell(Put(path=path, stored=None))
    folding.tell(Gone(path=f"{lock}/one"))
    if not locked:
        folding.tell(Gone(path=f"{lock}/two"))

    folding.put(paths.launch("here", NODE), launch())

    view = folding.world.nodes.views[NODE]
    assert view.lock.exists
    assert view.locked is locked


def test_a_lock_that_went_before_its_node_came_is_forgotten() -> None:
    """With all who waited for it."""
    folding, lock = Folding(), paths.node_lock(NODE)
    for path in (lock, f"{lock}/one"):
        folding.tell(Put(path=path, stored=None))
    folding.tell(Gone(path=lock))
    folding.tell(Gone(path=f"{lock}/one"))

    folding.put(paths.launch("here", NODE), launch())

    view = folding.world.nodes.views[NODE]
    assert not view.lock.exists
    assert not view.locked
    assert not folding.world.nodes.locks


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"state":"new"}',
        b"\xff\xfe",
    ],
)
def test_a_record_that_is_none_is_set_aside_with_one_warning(raw: bytes) -> None:
    """However often somebody writes it; what is right later is taken."""
    folding = Folding()
    path = paths.request(REQUEST)
    for version in range(3):
        folding.put(path, raw, version)
    before = dict(folding.world.queue.views)
    folding.put(path, request(), 3)

    assert before == {}
    assert [path] == [one["path"] for one in folding.log.warnings]
    assert list(folding.world.queue.views) == [REQUEST]


def test_a_request_that_turns_unreadable_still_exists() -> None:
    """Its nodes are not taken back for that."""
    folding = Folding()
    folding.put(paths.request(REQUEST), request())
    folding.put(paths.request(REQUEST), b"")
    unreadable = folding.world.request_exists(REQUEST)
    folding.tell(Gone(path=paths.request(REQUEST)))

    assert unreadable
    assert not folding.world.request_exists(REQUEST)


def test_a_request_exists_from_the_first_rumour_on() -> None:
    """It may be fulfilled before we have read it."""
    folding = Folding()
    folding.tell(Dirty(path=paths.request(REQUEST)))

    assert folding.world.request_exists(REQUEST)
    assert folding.world.queue.views == {}


def test_a_known_request_is_stale_until_it_is_read_again() -> None:
    """Nothing is written on old knowledge."""
    folding = Folding()
    folding.put(paths.request(REQUEST), request())
    folding.tell(Dirty(path=paths.request(REQUEST)))
    stale = folding.world.queue.views[REQUEST].stale
    folding.put(paths.request(REQUEST), request(relative_priority=4), 5)
    view = folding.world.queue.views[REQUEST]

    assert (stale, view.stale, view.version, view.request.relative_priority) == (True, False, 5, 4)


def test_the_node_of_a_launch_of_ours_is_read_once() -> None:
    """Others' nodes are not."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch())
    folding.put(paths.launch("here", NODE), launch(why="x"), 1)
    folding.put(paths.node(NodeId("3000000002")), node())

    assert ([NODE], {NODE}) == (folding.read, folding.mine)
    assert list(folding.world.nodes.views) == [NODE]


def test_records_that_were_not_heard_of_are_looked_for_when_the_mirror_is_complete() -> None:
    """That there is none, no mirror tells."""
    folding = Folding()
    add_node(folding.world, 7)
    folding.put(paths.launch("here", NODE), launch())
    folding.read.clear()
    folding.tell(Synced(root=paths.NODES))

    assert folding.read == [NODE]


def test_a_launch_that_is_gone_takes_its_node_with_it() -> None:
    """Its room is free again."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch(cores=4))
    before = folding.world.nodes.usage["main"].cores
    folding.tell(Gone(path=paths.launch("here", NODE)))

    assert (before, folding.world.nodes.usage["main"].cores) == (4, 0)
    assert (set(), {}) == (folding.mine, folding.world.nodes.views)


def test_an_unreadable_launch_is_nobodys_to_touch() -> None:
    """A newer version may have written it."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), b'{"schema": 99}')

    assert {NODE} == folding.world.nodes.unreadable
    assert len(folding.log.warnings) == 1


def test_contenders_of_a_node_come_and_go() -> None:
    """The lock directory and who is in it."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch())
    folding.put(paths.node(NODE), node())
    lock = paths.node_lock(NODE)
    folding.put(lock, b"")
    folding.put(f"{lock}/one", b"")
    view = folding.world.nodes.views[NODE]
    locked = (view.lock.exists, view.locked, view.allocatable)
    folding.tell(Gone(path=f"{lock}/one"))
    folding.tell(Gone(path=lock))

    assert locked == (True, True, False)
    assert (view.lock.exists, view.locked, view.allocatable) == (False, False, True)


def test_an_unreadable_node_is_known_to_be_there() -> None:
    """Its version fences the funeral; a missing one is told as gone."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch())
    folding.put(paths.node(NODE), b"", 4)
    view = folding.world.nodes.views[NODE]
    unreadable = (view.node, view.node_version, view.node_gone)
    folding.tell(Gone(path=paths.node(NODE)))

    assert unreadable == (None, 4, False)
    assert (view.node, view.node_version, view.node_gone) == (None, -1, True)


def test_claims_of_our_provider_are_kept() -> None:
    """Who, for which pool, under which lock."""
    folding = Folding()
    folding.put(paths.claim("here", REQUEST), encode_claim("me", "main", CONTENDER), 2)
    claim = folding.world.queue.claims[REQUEST]
    folding.tell(Gone(path=paths.claim("here", REQUEST)))

    assert (claim.owner, claim.pool, claim.contender, claim.version) == ("me", "main", CONTENDER, 2)
    assert folding.world.queue.claims == {}


def test_the_last_launcher_of_another_provider_leaves_it_to_be_rescued() -> None:
    """Until one of it lives again."""
    folding = Folding()
    path = f"{paths.replicas('there')}/one"
    record = encode_replica(
        Replica(id=ReplicaId("one"), hostname="h", pid=1, version="1", started_s=0.0)
    )
    folding.put(path, record, owner=7)
    folding.tell(Gone(path=path))
    dead = set(folding.world.rescues)
    folding.put(path, record, owner=8)

    assert ({"there"}, set()) == (dead, folding.world.rescues)


def test_a_status_that_says_the_same_again_wakes_nobody() -> None:
    """It is told once a minute; only what is new could change a decision."""
    folding = Folding()
    told = []
    for coming in (1, 1, 2):
        folding.world.agenda.supply = False
        status = ProviderStatus(
            provider="there", priority=1, labels={"small": LabelStatus(coming=coming)}
        )
        folding.put(paths.status("there"), encode_status(status))
        told.append(folding.world.agenda.supply)

    assert told == [True, False, True]


@pytest.mark.parametrize(
    "path",
    [
        paths.POOL_COMPONENTS + "/x",
        paths.status("there"),
        paths.node(NODE),
        paths.claim("here", REQUEST),
    ],
)
def test_foreign_rubbish_never_stops_the_fold(path: str) -> None:
    """Wherever it lies."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch())
    folding.put(path, b"rubbish", owner=7)

    assert len(folding.log.warnings) == 1


def test_a_node_that_is_closed_to_us_is_neither_waited_for_nor_gone() -> None:
    """Said once; kept without a judgement until it can be read, and its machine with it."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch())
    folding.put(paths.node(NODE), node(state=NodeState.USED))
    folding.tell(Dirty(path=paths.node(NODE)))
    for _ in range(2):
        folding.tell(Put(path=paths.node(NODE), stored=None, closed=True))
    view, read = folding.world.nodes.views[NODE], list(folding.read)

    closed = (
        view.stale,
        view.node,
        view.unread,
        of_kind(think(folding.world), Condemn, DeleteServer),
    )
    folding.fold.nodes.look_for_nodes()
    looked = folding.read[len(read) :]
    folding.put(paths.node(NODE), node(state=NodeState.USED))

    assert closed == (False, None, True, [])
    assert [one["event"] for one in folding.log.warnings] == ["record.set-aside"]
    assert "access control list" in folding.log.warnings[0]["why"]
    assert looked == [NODE]
    assert of_kind(think(folding.world), Condemn)


@pytest.mark.parametrize("proven", [True, False])
def test_a_condemned_node_that_is_closed_to_us_goes_only_if_nobody_wanted_it(
    *, proven: bool
) -> None:
    """A launch record that says so is no proof; what the users' record said when we read it is."""
    folding = Folding()
    state = NodeState.DELETING if proven else NodeState.IN_USE
    folding.put(paths.launch("here", NODE), launch(step=Step.CONDEMNED, server=ServerId("s")))
    folding.put(paths.node(NODE), node(state=state))
    folding.tell(Put(path=paths.node(NODE), stored=None, closed=True))

    assert bool(of_kind(think(folding.world), DeleteServer)) is proven


def test_a_request_that_is_closed_to_us_is_forgotten_but_not_gone() -> None:
    """Others are served; what is claimed or promised of it stays as it is."""
    folding = Folding()
    folding.put(paths.request(REQUEST), request())
    folding.tell(Dirty(path=paths.request(REQUEST)))
    folding.tell(Put(path=paths.request(REQUEST), stored=None, closed=True))

    assert REQUEST not in folding.world.queue.views
    assert folding.world.request_exists(REQUEST)
    assert len(folding.log.warnings) == 1
