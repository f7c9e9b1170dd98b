"""Two launchers of one provider that keep machines at the same moment: both look, one does."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.hold.actions import AnswerHold, KeepNode
from launcher.hold.fold import take_hold_ledger
from launcher.hold.writes import answer_hold, keep_node
from launcher.node.view import LockView, NodeView
from launcher.world import World
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.autohold import decode_autohold, encode_autohold
from remuda.store import paths
from remuda.store.api import Create, Gone, Op, Put, StaleWriteError, Stored
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.test_autoholds import AUTOHOLD, failed, waiting
from tests.unit.launcher.test_holds import CONTENDER, WISH, next_of, ruled, wished
from tests.unit.launcher.worlds import NOW


class Both:
    """One ZooKeeper, and the same world twice, as two replicas see it."""

    def __init__(self, first: World, second: World) -> None:
        self.worlds, self.store = (first, second), FakeZookeeper().connect()
        self.store.ensure(paths.NODES, paths.launches("here"), paths.hold_ledger("here"))
        self.store.ensure(paths.AUTOHOLDS)

    def stand(self, *views: NodeView) -> None:
        """Write the records of nodes, in the version that both have seen."""
        for view in views:
            assert view.node is not None
            assert view.launch is not None
            launch = paths.launch("here", view.id)
            self.store.commit(
                [
                    Create(path=paths.node(view.id), data=nodes.encode(view.node)),
                    Create(path=launch, data=launches.encode(view.launch)),
                ]
            )
            for name in view.lock.contenders:
                lock = paths.node_lock(view.id)
                self.store.commit([Create(path=lock), Create(path=f"{lock}/{name}")])
            view.node_version = view.launch_version = 0


def only(world: World, view: NodeView) -> Any:
    """Return the one thing that is to be done with a node."""
    found = next_of(world, view)
    assert isinstance(found, AnswerHold | KeepNode)
    return found


def test_of_two_grants_at_one_moment_one_is_judged_anew() -> None:
    """The limit is one; each replica knows of its own machine's wish alone."""
    both = Both(ruled(max=1), ruled(max=1))
    views = [wished(made, number=number) for number, made in enumerate(both.worlds, 1)]
    both.stand(*views)
    ops: list[list[Op]] = []
    for made, view in zip(both.worlds, views, strict=True):
        action = only(made, view)
        assert action.hold.refused is None
        ops.append(answer_hold(made, view, action))
    both.store.commit(ops[0])
    with pytest.raises(StaleWriteError, match="holds"):
        both.store.commit(ops[1])
    made, view = both.worlds[1], views[1]
    seen = wished(made, replace(WISH, token="t9"), number=9)
    assert seen.launch is not None
    seen.launch = replace(seen.launch, hold=only(both.worlds[0], views[0]).hold)
    made.touch_node(seen)
    tell(made, both.store)
    refused = only(made, view)
    assert "keeps 1 held machines already, the limit is 1" in refused.hold.refused
    both.store.commit(answer_hold(made, view, refused))


def tell(made: World, store: FakeStore) -> None:
    """Have a world take in the ledger of holds."""
    path = paths.hold_ledger("here")
    stored = store.read(path)
    assert stored is not None
    take_hold_ledger(made, Put(path=path, stored=stored))
    assert made.holds_version == stored.version
    take_hold_ledger(made, Gone(path=path))
    assert made.holds_version == stored.version


def test_who_counts_nothing_names_no_ledger() -> None:
    """Without limits no answer waits for another."""
    made = ruled()
    first, second = wished(made, number=1), wished(made, replace(WISH, token="t2"), number=2)
    for view in (first, second):
        ops = answer_hold(made, view, only(made, view))
        assert paths.hold_ledger("here") not in {one.path for one in ops}


def test_of_two_launchers_that_fire_one_autohold_one_keeps_its_machine() -> None:
    """It is counted down at the version that was judged; the other's machine goes, or waits."""
    both = Both(waiting(), waiting())
    views = [failed(made, number=number) for number, made in enumerate(both.worlds, 1)]
    both.stand(*views)
    path = paths.autohold(AUTOHOLD.id)
    both.store.commit([Create(path=path, data=encode_autohold(AUTOHOLD))])
    ops = []
    for made, view in zip(both.worlds, views, strict=True):
        made.autoholds.stored[AUTOHOLD.id] = Stored(path=path, value=AUTOHOLD, version=0)
        action = only(made, view)
        assert (action.fires, view.lock) == (AUTOHOLD.id, LockView())
        ops.append(keep_node(made, view, action, now_s=NOW.wall_s))
    both.store.commit(ops[0])
    with pytest.raises(StaleWriteError, match=AUTOHOLD.id):
        both.store.commit(ops[1])
    stored = both.store.read(path)
    assert stored is not None
    after = decode_autohold(AUTOHOLD.id, stored.value)
    assert [one.node for one in after.fired] == [views[0].id]
    held = both.store.read(paths.node(views[1].id))
    assert held is not None
    assert b'"hold"' not in held.value


def test_the_lock_of_the_wisher_is_proven_beside_the_ledger() -> None:
    """Whoever lets go meanwhile has nothing kept."""
    both = Both(ruled(max=1), ruled(max=1))
    (made, _), view = both.worlds, wished(both.worlds[0])
    both.stand(view)
    ops = answer_hold(made, view, only(made, view))
    assert [one.path for one in ops][1:] == [
        f"{paths.node_lock(view.id)}/{CONTENDER}",
        paths.launch("here", view.id),
        paths.hold_ledger("here"),
    ]
