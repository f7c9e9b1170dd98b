"""Parents of records that somebody removes: without them nothing would ever be written again."""

import pytest

from launcher.provider.actions import Publish
from launcher.provider.presence import tree
from remuda.frame.work import Written
from remuda.membership.membership import Registered
from remuda.membership.tree import RESTORE_AGAIN_S
from remuda.model.ids import NodeId, RequestId
from remuda.store import paths
from remuda.store.api import Create, Delete, MissingError, Op, Set
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    later,
    world,
)

PUBLISH = Publish(status=b"{}", outline="")


def deliver(works: Works) -> None:
    """Let every answer come."""
    while works.store.wire.has_news:
        works.store.wire.deliver_one()


@pytest.mark.parametrize("gone", [one for one in tree("here") if one != paths.NODES])
def test_what_is_taken_for_granted_is_made_again(gone: str) -> None:
    """Each of it, when a transaction misses it; the counter of nodes is not begun anew."""
    made = world()
    works = Works(made)
    works.store.ensure(*tree("here"))
    works.store.commit([Set(path=paths.NODES, data=b"kept", version=-1)])
    remove(works, gone)

    works.starter.writer.send(PUBLISH, [Create(path=f"{gone}/x")])
    deliver(works)
    (event,) = works.workers.inbox.drain(wait_s_max=0.0).events
    assert isinstance(event, Written)
    assert event.uprooted
    works.hear(event, NOW)
    deliver(works)

    assert all(works.store.read(path) is not None for path in tree("here"))
    kept = works.store.read(paths.NODES)
    assert kept is not None
    assert kept.value == b"kept"
    assert works.store.read(paths.NODE_COUNTER) is None


def remove(works: Works, path: str) -> None:
    """Remove a znode with all that is below it, as an administrator does."""
    for name in works.store.children(path):
        remove(works, f"{path}/{name}")
    works.store.commit([Delete(path=path)])


@pytest.mark.parametrize(
    ("op", "uprooted"),
    [
        (Set(path=paths.node(NodeId("3000000001")), data=b"", version=1), False),
        (Set(path=paths.request(RequestId("200-0000000001")), data=b"", version=1), False),
        (Set(path=paths.status("here"), data=b"", version=-1), True),
        (Create(path=paths.launch("here", NodeId("3000000001"))), True),
    ],
)
def test_what_others_may_end_is_nothing_to_be_mended(op: Op, *, uprooted: bool) -> None:
    """A request that is cancelled, a node that is gone: that happens all day."""
    works = Works(world())
    works.starter.writer.send(PUBLISH, [op])
    deliver(works)

    (event,) = works.workers.inbox.drain(wait_s_max=0.0).events
    assert isinstance(event, Written)
    assert uprooted is event.uprooted


def test_it_is_not_made_again_all_the_time_nor_in_anothers_zookeeper() -> None:
    """Whoever removes it for ever costs little; a launcher that halted writes nothing."""
    made = world()
    works = Works(made)
    error = MissingError(paths.STATUSES, "gone")
    written = Written(action=PUBLISH, result=error, uprooted=True)

    made.halted = "this is another's ZooKeeper"
    works.hear(written, NOW)
    deliver(works)
    assert works.store.read(paths.STATUSES) is None
    made.halted = None
    for seconds, there in ((0.0, True), (1.0, False), (RESTORE_AGAIN_S, True)):
        works.hear(written, later(seconds))
        deliver(works)
        assert (works.store.read(paths.STATUSES) is not None) is there
        if there:
            remove(works, paths.STATUSES)


def test_a_registration_that_misses_its_parent_has_it_made() -> None:
    """Until then the launcher is not awake and decides nothing."""
    works = Works(world())
    error = MissingError(f"{paths.POOL_COMPONENTS}/x", "no such parent")

    assert not works.membership.heard(Registered(error=error), NOW.mono_s)
    deliver(works)

    assert works.store.read(paths.POOL_COMPONENTS) is not None
