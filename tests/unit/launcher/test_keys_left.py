"""Keys of people on a machine that lives on after its hold, for its cloud does not delete it."""

from dataclasses import replace

from launcher.guest.actions import NoteKeys, SetKeys
from launcher.guest.keeping import keys_left
from launcher.node.view import NodeView
from launcher.server.actions import DeleteServer
from launcher.world import World
from remuda.model.hold import Hold
from remuda.model.launch import Step
from remuda.model.node import NodeState
from tests.unit.launcher.test_keeping import HOLD, on_record, tried, world
from tests.unit.launcher.test_lifecycle import shown
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, doom, of_kind, think


def dying(made: World, hold: Hold | None) -> NodeView:
    """Add a machine whose hold is over, whose deletion was asked for, and that runs on."""
    view = add_node(made, 1, step=Step.CONDEMNED, state=NodeState.DELETING, launch={"hold": hold})
    doom(made, view)
    view.server.show(shown())
    view.patience.delete_due_s = NOW.mono_s + 600.0
    made.touch_node(view)
    return view


def test_keys_are_taken_off_a_machine_that_outlives_its_hold() -> None:
    """Once, and on record; the deletion is what counts."""
    made = world()
    hold = replace(HOLD, keys=(*on_record("no", refused="no").keys, *on_record("k1").keys))
    view = dying(made, hold)
    (off,) = of_kind(think(made), SetKeys)
    assert (off.token, off.keys) == ("k1", ())
    works = Works(made)
    works.results.take(replace(tried(view, why=None), token="k1"), NOW)
    (note,) = of_kind(think(made), NoteKeys)
    assert note == NoteKeys(node=view.id, token="k1", keys=())
    view.server.accept_delete(made.cloud.listing - 1)  # a later listing shows it running
    assert len(of_kind(think(made), NoteKeys)) == 1
    works.results.take(tried(view, why="it is away", again=True), NOW)
    assert (view.keys.given_up, view.patience.retry_s) == (True, 0.0)
    assert of_kind(think(made), SetKeys, NoteKeys) == []


def test_no_deletion_waits_for_keys() -> None:
    """A machine that was never asked to go, or that is going, is not visited."""
    made = world()
    view = dying(made, on_record("k1"))
    view.server.accept_delete(made.cloud.listing)  # no later listing shows it
    assert of_kind(think(made), SetKeys, NoteKeys) == []
    other = world()
    view = dying(other, on_record("k1"))
    view.patience.delete_due_s = 0.0
    assert of_kind(think(other), SetKeys, NoteKeys) == []
    assert len(of_kind(think(other), DeleteServer)) == 1
    assert keys_left(view, None) is None
