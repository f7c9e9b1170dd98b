"""What each action writes, carried out on a tree in memory."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from launcher.claim import writes as claim_writes
from launcher.node import writes as node_writes
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.request import writes as request_writes
from launcher.world import World
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model import request as requests
from remuda.model.ids import ReplicaId
from remuda.model.launch import Step, StepEvent
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.store import paths
from remuda.store.api import (
    Create,
    Delete,
    ExistsError,
    MissingError,
    NotEmptyError,
    Op,
    Set,
    StaleWriteError,
)
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.worlds import NOW, add_claim, add_node, add_request, know, world


class Bench:
    """A world and a tree that agree."""

    def __init__(self) -> None:
        self.world: World = world()
        self.zookeeper = FakeZookeeper(ManualClock())
        self.store: FakeStore = self.zookeeper.connect()
        self.store.ensure(
            paths.NODES,
            paths.REQUESTS,
            paths.REQUEST_LOCKS,
            paths.launches("here"),
            paths.claims("here"),
            paths.ledger("here"),
            paths.FAILED_REQUESTS,
        )

    def node(self, number: int, **fields: Any) -> NodeView:
        """Add a node to both; foreign keys included."""
        view = add_node(self.world, number, x_foreign=number, **fields)
        assert view.node is not None
        assert view.launch is not None
        launch = paths.launch("here", view.id)
        self.store.commit(
            [
                Create(path=paths.node(view.id), data=nodes.encode(view.node)),
                Create(path=launch, data=launches.encode(view.launch)),
            ]
        )
        view.node_version = view.launch_version = 0
        return view

    def request(self, number: int, *labels: str, **fields: Any) -> Any:
        """Add a request to both; foreign keys included."""
        view = add_request(self.world, number, *labels, **fields)
        object.__setattr__(view.request, "doc", {**view.request.doc, "x_foreign": 2**127})
        raw = requests.encode(view.request)
        self.store.commit([Create(path=paths.request(view.id), data=raw)])
        view.version = 0
        return view

    def claimed(self, number: int, *labels: str) -> Any:
        """Add a request that we have claimed."""
        view = self.request(number, *labels)
        contender = claim_writes.first_contender(paths.request_lock(view.id), self.world.stem)
        ops = claim_writes.claim(
            self.world,
            view,
            "main",
            (),
            pending=request_writes.pending(view, now_s=NOW.wall_s),
            contender=contender,
            ledger_version=self.ledger(),
        )
        self.store.commit(ops)
        view.request = requests.decode(view.id, self.read(paths.request(view.id)))
        view.version = 1
        add_claim(self.world, view)
        return view

    def ledger(self) -> int:
        """Return the version of the ledger."""
        found = self.store.read(paths.ledger("here"))
        assert found is not None
        return found.version

    def read(self, path: str) -> bytes:
        """Return what lies at a path."""
        found = self.store.read(path)
        assert found is not None
        return found.value

    def lock(self, directory: str) -> None:
        """Let somebody else hold a lock."""
        self.store.ensure(directory)
        self.zookeeper.connect().commit(
            [Create(path=f"{directory}/x__lock__", ephemeral=True, sequence=True)]
        )

    def commit(self, ops: Sequence[Op]) -> None:
        """Carry out a transaction."""
        self.store.commit(ops)


@pytest.fixture
def bench() -> Bench:
    """Return an empty bench."""
    return Bench()


def test_lend_writes_nodes_before_the_request_and_gives_up_the_lock(bench: Bench) -> None:
    """Clients act the moment they see fulfilled: by then all must be done."""
    one, two = bench.node(1), bench.node(2, label="large")
    view = bench.claimed(1, "large", "small")
    ops = request_writes.allocate(bench.world, view, [two, one], now_s=NOW.wall_s)
    bench.commit(ops)
    request = requests.decode(view.id, bench.read(paths.request(view.id)))
    node = nodes.decode(one.id, bench.read(paths.node(one.id)))
    order = [op.path for op in ops if isinstance(op, Set)]

    assert [paths.node(two.id), paths.node(one.id), paths.request(view.id)] == order
    assert (RequestState.FULFILLED, (two.id, one.id)) == (request.state, request.nodes)
    assert (NodeState.READY, view.id) == (node.state, node.allocated_to)
    assert bench.store.read(paths.request_lock(view.id)) is None
    assert bench.store.children(paths.claims("here")) == ()


def test_unknown_keys_survive_every_rewrite(bench: Bench) -> None:
    """Even numbers that no other parser can hold."""
    node, view = bench.node(1), bench.request(1)
    bench.commit(request_writes.allocate(bench.world, view, [node], now_s=NOW.wall_s))

    assert json.loads(bench.read(paths.request(view.id)))["x_foreign"] == 2**127
    assert json.loads(bench.read(paths.node(node.id)))["x_foreign"] == 1


def test_lend_fails_if_somebody_wrote_the_node_or_the_request(bench: Bench) -> None:
    """Versions fence both."""
    node, view = bench.node(1), bench.request(1)
    ops = request_writes.allocate(bench.world, view, [node], now_s=NOW.wall_s)
    bench.commit([Set(path=paths.node(node.id), data=b"{}", version=0)])

    with pytest.raises(StaleWriteError):
        bench.commit(ops)


def test_lend_fails_while_somebody_holds_the_requests_lock(bench: Bench) -> None:
    """Zuul revises priorities under it; the error tells that the directory exists."""
    node, view = bench.node(1), bench.request(1)
    bench.lock(paths.request_lock(view.id))
    guess = request_writes.allocate(bench.world, view, [node], now_s=NOW.wall_s)
    with pytest.raises(ExistsError):
        bench.commit(guess)
    view.lock_exists = True

    with pytest.raises(NotEmptyError):
        bench.commit(request_writes.allocate(bench.world, view, [node], now_s=NOW.wall_s))


def test_of_two_plans_on_one_ledger_only_one_is_written(bench: Bench) -> None:
    """The limits hold across replicas."""
    version = bench.ledger()
    first = node_writes.grow(bench.world, (), ledger_version=version)
    second = node_writes.grow(bench.world, (), ledger_version=version)
    bench.commit(first)

    with pytest.raises(StaleWriteError):
        bench.commit(second)


def test_a_claim_takes_the_lock_the_request_and_the_ledger_at_once(bench: Bench) -> None:
    """A second claim of anybody fails."""
    version = bench.ledger()
    view = bench.claimed(1)

    assert RequestState.PENDING is view.request.state
    assert len(bench.store.children(paths.request_lock(view.id))) == 1
    assert version + 1 == bench.ledger()
    with pytest.raises(ExistsError):
        bench.commit([Create(path=paths.request_lock(view.id))])


def _gone(view: NodeView, *lapsed: str) -> Condemn:
    return Condemn(node=view.id, cause="too old", lapsed=lapsed)


@pytest.mark.parametrize("action", ["free", "condemn"])
def test_a_node_under_its_users_lock_is_not_touched(bench: Bench, action: str) -> None:
    """The proof is part of the transaction, not a look before it."""
    view = bench.node(1)
    bench.lock(paths.node_lock(view.id))
    know(view, exists=True)
    ops = {
        "free": lambda: node_writes.free(view, now_s=NOW.wall_s),
        "condemn": lambda: node_writes.condemn(bench.world, view, _gone(view), now_s=NOW.wall_s),
    }[action]()

    with pytest.raises(NotEmptyError):
        bench.commit(ops)


def test_who_is_left_in_a_lock_is_removed_by_name_and_nobody_who_came_since(bench: Bench) -> None:
    """All of it in one transaction: nobody loses the lock to a deletion that does not happen."""
    view = bench.node(1, state=NodeState.HOLD)
    lock = paths.node_lock(view.id)
    forgotten, later = f"{'a' * 32}__lock__0000000000", f"{'b' * 32}__lock__0000000001"
    bench.commit([Create(path=lock), Create(path=f"{lock}/{forgotten}")])
    know(view, exists=True)
    bench.commit([Create(path=f"{lock}/{later}")])
    action = _gone(view, forgotten)
    with pytest.raises(NotEmptyError):
        bench.commit(node_writes.condemn(bench.world, view, action, now_s=NOW.wall_s))
    assert bench.store.children(lock) == (forgotten, later)
    bench.commit([Delete(path=f"{lock}/{later}")])
    bench.commit(node_writes.condemn(bench.world, view, action, now_s=NOW.wall_s))
    assert bench.store.children(paths.node(view.id)) == ()
    assert b'"deleting"' in bench.read(paths.node(view.id))


def test_condemn_writes_both_records(bench: Bench) -> None:
    """The users' record says so, too, and no lock directory is left."""
    view = bench.node(1)
    bench.commit(node_writes.condemn(bench.world, view, _gone(view), now_s=NOW.wall_s))
    launch = launches.decode(view.id, bench.read(paths.launch("here", view.id)))

    assert (launch.step, launch.why) == (Step.CONDEMNED, "too old")
    assert b'"deleting"' in bench.read(paths.node(view.id))
    assert bench.store.children(paths.node(view.id)) == ()


def test_bury_removes_both_records_even_an_unreadable_one(bench: Bench) -> None:
    """Nobody may stop a funeral by a late write; somebody in the lock can."""
    late, unreadable, locked = bench.node(1), bench.node(2), bench.node(3)
    bench.commit([Set(path=paths.node(late.id), data=b"{}", version=0)])
    unreadable.node = None
    bench.lock(paths.node_lock(locked.id))
    know(locked, exists=True)
    for view in (late, unreadable):
        bench.commit(node_writes.remove_records(bench.world, view))

    assert (locked.id,) == bench.store.children(paths.NODES)
    with pytest.raises(NotEmptyError):
        bench.commit(node_writes.remove_records(bench.world, locked))


def test_release_and_decline_give_the_request_back(bench: Bench) -> None:
    """The last of all registered pools fails it."""
    released, declined = bench.claimed(1), bench.claimed(2)
    bench.commit(request_writes.release(bench.world, released, now_s=NOW.wall_s))
    bench.commit(request_writes.decline(bench.world, declined, "too large", now_s=NOW.wall_s))
    one = requests.decode(released.id, bench.read(paths.request(released.id)))
    two = requests.decode(declined.id, bench.read(paths.request(declined.id)))

    assert (one.state, one.declined_by) == (RequestState.REQUESTED, ())
    assert (two.state, two.declined_by) == (RequestState.FAILED, ("id-main",))
    assert bench.store.children(paths.REQUEST_LOCKS) == ()


def test_a_claim_is_taken_over_only_if_its_owners_lock_is_gone(bench: Bench) -> None:
    """Its session decides."""
    view = bench.claimed(1)
    bench.world.queue.claims[view.id].owner = "other"
    view.lock_exists = True
    contender = claim_writes.first_contender(paths.request_lock(view.id), "new__lock__")
    ops = claim_writes.adopt_claim(bench.world, view, contender=contender)
    with pytest.raises(NotEmptyError):
        bench.commit(ops)
    old = bench.store.session_id
    bench.store.suspend()
    bench.store.expire()
    bench.commit(ops)

    assert old != bench.store.session_id
    assert contender.encode() in bench.read(paths.claim("here", view.id))


def test_a_claim_of_ours_is_locked_again_whether_its_old_lock_lives_or_not(bench: Bench) -> None:
    """It lives where the claim was sent over a session that we had not heard of yet."""
    for number, expires in ((1, False), (2, True)):
        view = bench.claimed(number)
        claim = bench.world.queue.claims[view.id]
        contender = claim_writes.first_contender(paths.request_lock(view.id), "new__lock__")
        if expires:
            bench.store.suspend()
            bench.store.expire()
            with pytest.raises(MissingError) as gone:
                bench.commit(claim_writes.adopt_claim(bench.world, view, contender=contender))
            assert gone.value.path == claim.contender
            claim.contender_gone = view.lock_exists = True  # as that teaches
        bench.commit(claim_writes.adopt_claim(bench.world, view, contender=contender))

        assert contender.encode() in bench.read(paths.claim("here", view.id))
        assert bench.store.children(paths.request_lock(view.id)) == (contender.rpartition("/")[2],)


def test_advance_is_fenced_by_the_launchs_version(bench: Bench) -> None:
    """Of two owners only one goes on."""
    view = bench.node(1)
    assert view.launch is not None
    mine = node_writes.advance(bench.world, view, node_writes.adopted(bench.world, view.launch))
    bench.commit(mine)

    with pytest.raises(StaleWriteError):
        bench.commit(mine)
    launch = launches.decode(view.id, bench.read(paths.launch("here", view.id)))
    assert ReplicaId("me") == launch.owner


def test_ready_writes_both_records_or_none(bench: Bench) -> None:
    """A launch that is condemned meanwhile never becomes ready."""
    view = bench.node(1, step=Step.PROVING)
    assert view.node is not None
    assert view.launch is not None
    ops = node_writes.ready(bench.world, view, view.node, now_s=NOW.wall_s)
    condemned = view.launch.after(StepEvent.CONDEMNED)
    bench.commit(node_writes.advance(bench.world, view, condemned))

    with pytest.raises(StaleWriteError):
        bench.commit(ops)
    assert b'"building"' in bench.read(paths.node(view.id))


def test_nothing_is_written_to_a_request_that_is_gone(bench: Bench) -> None:
    """It is never made again."""
    node, view = bench.node(1), add_request(bench.world, 1)

    with pytest.raises(MissingError):
        bench.commit(request_writes.allocate(bench.world, view, [node], now_s=NOW.wall_s))
