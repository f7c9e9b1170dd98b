"""Nothing is started while nodes of others are half read."""

import pytest

from remuda.model.ids import ReplicaId
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Change, Dirty, Gone, Put, Stored
from tests.unit.launcher.test_fold import NODE, Folding, launch, node


def test_nothing_is_started_while_a_new_launch_of_a_replica_is_being_read() -> None:
    """The ledger may have been told before it, and by its launch record alone it is no supply."""
    folding = Folding()
    path = paths.launch("here", NODE)
    folding.tell(Dirty(path=path))
    dirty = set(folding.world.unborn)
    folding.put(path, launch())
    half_read = set(folding.world.unborn)
    folding.world.agenda.supply = False
    folding.put(paths.node(NODE), node())
    folding.tell(Dirty(path=path))

    assert {NODE} == dirty == half_read
    assert folding.world.agenda.supply
    assert set() == folding.world.unborn


def test_nothing_is_started_while_nodes_found_after_an_absence_are_half_read() -> None:
    """A tree that is read anew tells launch records at once; their nodes are asked for then."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch(step=Step.BOOTING, owner=ReplicaId("other")))
    half_read = set(folding.world.unborn)
    folding.put(paths.node(NODE), node(state=NodeState.BUILDING))
    read = set(folding.world.unborn)
    folding.put(paths.launch("here", NODE), launch(step=Step.PROVING, owner=ReplicaId("other")), 1)

    assert ({NODE}, set()) == (half_read, read)
    assert set() == folding.world.unborn
    assert folding.world.nodes.coming["main", "small"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        Gone(path=paths.node(NODE)),
        Put(path=paths.node(NODE), stored=None, closed=True),
        Gone(path=paths.launch("here", NODE)),
        Put(path=paths.launch("here", NODE), stored=Stored(path="", value=b"rubbish", version=1)),
        Put(path=paths.node(NODE), stored=Stored(path="", value=b"rubbish", version=1)),
    ],
    ids=["no node", "a closed node", "no launch", "a broken launch", "a broken node"],
)
def test_a_half_read_node_holds_up_growth_no_longer_than_its_answer(answer: Change) -> None:
    """Whatever is told of either record ends the wait."""
    folding = Folding()
    folding.put(paths.launch("here", NODE), launch())
    folding.world.agenda.supply = False
    folding.tell(answer)

    assert set() == folding.world.unborn
    assert folding.world.agenda.supply


def test_a_launch_record_that_is_closed_to_us_holds_up_no_growth() -> None:
    """It is told as being read first, and no more ever comes of it."""
    folding = Folding()
    path = paths.launch("here", NODE)
    folding.tell(Dirty(path=path))
    assert folding.world.unborn == {NODE}

    folding.tell(Put(path=path, stored=None, closed=True))

    assert folding.world.unborn == set()
    assert folding.world.nodes.unreadable == {NODE}
    assert folding.world.agenda.supply
    folding.tell(Gone(path=path))
    assert folding.world.nodes.unreadable == set()


def test_a_node_of_ours_that_went_before_its_launch_was_read_holds_up_nothing() -> None:
    """After a lost reply it may be in our list already, and its record told as gone too early."""
    folding = Folding()
    folding.mine.add(NODE)
    path = paths.launch("here", NODE)
    folding.tell(Dirty(path=path))
    folding.tell(Gone(path=paths.node(NODE)))
    folding.put(path, launch())

    assert folding.read == [NODE]  # the answer tells that there is none
    folding.tell(Gone(path=paths.node(NODE)))
    assert set() == folding.world.unborn
