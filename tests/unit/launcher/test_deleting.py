"""What the cloud's answers to delete calls teach: taken, refused, not ours, spared."""

import pytest

from launcher.events import Finished, HandCrashed
from launcher.lanes import leak
from launcher.node.actions import RemoveRecords
from launcher.provider.actions import DropPermit
from launcher.provider.cloud import Permitted
from launcher.server.actions import DeleteLeak, DeleteServer
from launcher.server.events import LeakDeleted, LeakSpared
from launcher.server.listing import take_listing
from launcher.server.state import ServerState
from remuda.cloud.api import Server, ServerStatus, TryLaterError
from remuda.model import tags
from remuda.model.ids import PoolName, ServerId
from remuda.model.launch import Step
from remuda.model.permit import Permit
from remuda.runtime.now import Now
from tests.unit.launcher.works import OWNER, Works, deleted
from tests.unit.launcher.worlds import NOW, add_node, add_stray, of_kind, think, world


@pytest.mark.parametrize("accepted", [True, False])
def test_records_are_buried_only_after_the_cloud_took_a_call(accepted: bool) -> None:  # noqa: FBT001
    """However many listings leave the server out; and only by one that was begun afterwards."""
    made = world()
    works, view = Works(made), add_node(made, 1, step=Step.CONDEMNED)
    error = None if accepted else TryLaterError("HTTP 503")

    works.hear(deleted(view, error), NOW)
    before = of_kind(think(made), RemoveRecords)
    made.cloud.listing += 1
    after = of_kind(think(made), RemoveRecords)

    assert before == []
    assert after == [RemoveRecords(node=view.id, server=view.server.id)] * accepted


def test_a_call_that_is_refused_later_changes_nothing() -> None:
    """The cloud took one before."""
    made = world()
    works, view = Works(made), add_node(made, 1, step=Step.CONDEMNED)
    works.hear(deleted(view, None), NOW)
    made.cloud.listing += 1

    works.hear(deleted(view, TryLaterError("HTTP 409")), NOW)

    assert of_kind(think(made), RemoveRecords) == [
        RemoveRecords(node=view.id, server=view.server.id)
    ]


def test_a_server_that_is_not_the_nodes_is_forgotten() -> None:
    """The node is buried once it is sure that it has no other; the server's ports stay."""
    made = world()
    works = Works(made)
    view = add_node(made, 1, step=Step.CONDEMNED, launch={"asked_by_s": NOW.wall_s - 10.0})
    view.server.state = ServerState.HINTED

    works.hear(deleted(view, None, mistaken=True), NOW)
    made.cloud.listing, made.cloud.complete_wall_s = made.cloud.listing + 1, NOW.wall_s

    assert (view.server.id, view.server.delete_accepted) == (None, False)
    assert of_kind(think(made), RemoveRecords) == [RemoveRecords(node=view.id, server=None)]


def test_what_was_spared_is_counted_anew() -> None:
    """From its first sighting on."""
    made = world()
    works, stray = Works(made), add_stray(made, 1)
    action = DeleteLeak(server=stray, node=None, cause="no record")
    works.starter.start(action, NOW)
    begun = list(made.busy)

    spared = LeakSpared(server=stray, why="it has a launch record")
    works.hear(Finished(action=action, event=spared), NOW)

    assert begun == [leak(stray)]
    assert (made.cloud.strays, list(made.busy)) == ({}, [])


def test_a_bug_while_a_leak_is_deleted_frees_it_even_if_its_node_is_known() -> None:
    """Or it would count as being deleted for ever."""
    made = world()
    works, view, stray = Works(made), add_node(made, 1), add_stray(made, 2)
    action = DeleteLeak(server=stray, node=view.id, cause="no record")
    works.starter.start(action, NOW)

    works.hear(Finished(action=action, event=HandCrashed(action=action, why="a bug")), NOW)

    assert leak(stray) not in made.busy


@pytest.mark.parametrize("answered", ["before", "after"])
def test_what_was_asked_of_another_server_was_not_asked_of_the_nodes_own(answered: str) -> None:
    """A record named one that is gone; then a listing shows the real one, with its floating IP."""
    made = world()
    works = Works(made)
    view = add_node(made, 1, step=Step.CONDEMNED, launch={"floating_ip": "fip-1"})
    view.server.state = ServerState.HINTED
    gone, real = deleted(view, None, released=True), ServerId("real")
    shown = tags.ServerTags(owner=OWNER, node=view.id, pool=PoolName("main"), label="small")
    server = Server(id=real, name="np1", status=ServerStatus.ACTIVE, tags=tags.make(shown))

    if answered == "before":
        works.hear(gone, NOW)
    take_listing(made, made.cloud.listing + 1, [server], OWNER, NOW)
    if answered == "after":
        works.hear(gone, NOW)
    made.cloud.listing += 1
    (delete,) = of_kind(
        think(made, Now(wall_s=NOW.wall_s + 400.0, mono_s=NOW.mono_s + 400.0)), DeleteServer
    )

    assert (view.server.delete_accepted, view.server.released) == (False, False)
    assert (delete.server, delete.hinted_ip) == (real, "fip-1")


def test_a_permission_outlives_a_refused_deletion() -> None:
    """It ends when a listing begun afterwards shows no server of it, and not before."""
    made = world()
    works, stray = Works(made), add_stray(made, 1)
    permit = Permit(servers=frozenset({stray}), until_s=NOW.wall_s + 900.0)
    made.cloud.permit = Permitted(permit=permit, version=4, listing=made.cloud.listing - 1)

    works.hear(LeakDeleted(server=stray, error=TryLaterError("HTTP 503")), NOW)
    before = of_kind(think(made), DropPermit)
    made.cloud.listing += 1

    assert before == []
    assert of_kind(think(made), DropPermit) == [DropPermit(version=4)]
