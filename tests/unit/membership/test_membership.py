"""A place among the living: registered, told of it, and everything read."""

from typing import Any

from remuda.frame.sender import Sender
from remuda.frame.work import Written
from remuda.membership.attendance import REGISTER_AGAIN_S, Attendance
from remuda.membership.membership import Membership, Registered
from remuda.membership.registration import Member, Presence
from remuda.membership.tree import RESTORE_AGAIN_S, Tree
from remuda.metrics.sink import NullMetrics
from remuda.model.ids import ReplicaId
from remuda.runtime.ground import Ground
from remuda.runtime.inbox import Inbox
from remuda.store.api import Change, Create, Delete, MissingError, Put, Set, StoreError, Synced
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeZookeeper

MEMBERS, RECORDS = "/t/members", "/t/records"
GONE = MissingError(RECORDS, "gone")


class Told:
    """A log whose events are kept."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def debug(self, event: str, **_fields: Any) -> None:
        """Keep it."""
        self.events.append(event)

    info = warning = error = debug


class Scene:
    """A process over a ZooKeeper that answers when it is told to."""

    def __init__(self) -> None:
        self.clock, self.inbox, self.log = ManualClock(), Inbox[Any](), Told()
        self.store = FakeZookeeper(self.clock).connect()
        self.halted = False
        replica = Member(id=ReplicaId("me"), started_s=0.0).ephemeral(MEMBERS)
        ground: Ground[Any] = Ground(
            store=self.store,
            inbox=self.inbox,
            clock=self.clock,
            log=self.log,
            metrics=NullMetrics(),
        )
        self.membership = Membership(
            kind="tester",
            ground=ground,
            attendance=Attendance(connected=True),
            tree=Tree(ground, (MEMBERS, RECORDS), halted=lambda: self.halted),
            wanted=lambda: Presence(replica=replica),
            traces=lambda: (replica.path,),
        )
        self.sender: Sender[str] = Sender(ground, self.membership.tree)

    def hear(self) -> list[Any]:
        """Let all answers come, and return what they are."""
        while self.store.wire.has_news:
            self.store.wire.deliver_one()
        return list(self.inbox.drain(wait_s_max=0.0).events)

    def changes(self) -> list[Change]:
        """Let the mirrors tell."""
        while self.store.wire.has_news:
            self.store.wire.deliver_one()
        return list(self.inbox.drain(wait_s_max=0.0).changes)


def test_a_registration_without_its_parent_has_it_made_and_is_tried_again() -> None:
    """Until then the process is not awake and decides nothing."""
    scene = Scene()
    scene.membership.register()
    (failed,) = scene.hear()
    there = scene.membership.heard(failed, 0.0)
    scene.hear()

    assert not there
    assert scene.membership.attendance.register_is_due(REGISTER_AGAIN_S)
    assert scene.log.events == ["tester.not-registered", "store.tree-missing"]
    scene.membership.register(doubtful=True)
    assert scene.store.read(RECORDS) is not None
    (failed,) = scene.hear()  # what the traces name is not there, so nothing was made
    assert not scene.membership.heard(failed, 0.1)


def test_who_is_registered_is_there() -> None:
    """And agrees with what the mirrors tell."""
    scene = Scene()
    scene.store.ensure(MEMBERS)
    scene.membership.register()

    assert scene.hear() == [Registered(error=None)]
    assert scene.membership.heard(Registered(error=None), 0.0)
    assert scene.membership.attendance.registered
    assert scene.membership.agrees()
    scene.membership.lost()
    assert not scene.membership.agrees()


def test_another_failure_restores_nothing() -> None:
    """Only the absence of a parent does."""
    scene = Scene()
    assert not scene.membership.heard(Registered(error=StoreError("away")), 0.0)
    assert scene.log.events == ["tester.not-registered"]


def test_parents_are_not_made_again_all_the_time_nor_in_anothers_zookeeper() -> None:
    """Whoever removes them for ever costs little."""
    scene = Scene()
    tree = scene.membership.tree
    scene.halted = True
    tree.restore(GONE, 0.0)
    scene.halted = False
    made = []
    for now_s in (0.0, 1.0, RESTORE_AGAIN_S):
        tree.restore(GONE, now_s)
        scene.hear()
        made.append(scene.store.read(RECORDS) is not None)
        if made[-1]:
            scene.store.commit([Delete(path=RECORDS)])

    assert made == [True, False, True]
    assert scene.log.events == ["store.tree-missing"] * 2


def test_the_sender_tells_what_became_of_a_transaction() -> None:
    """When its answer came, what it made, and whether a parent is missing."""
    scene = Scene()
    scene.sender.send("no parent", [Create(path=f"{RECORDS}/a")])
    scene.sender.send("cancelled", [Set(path="/else/where", data=b"", version=-1)])
    scene.clock.advance(2.0)
    torn, cancelled = scene.hear()
    scene.store.ensure(RECORDS)
    scene.sender.send("good", [Create(path=f"{RECORDS}/a")], made=["a"], wakes=False)
    while scene.store.wire.has_news:
        scene.store.wire.deliver_one()
    woken = scene.inbox._news
    (good,) = scene.hear()

    assert (torn.action, torn.uprooted, torn.answered_s) == ("no parent", True, 2.0)
    assert (cancelled.action, cancelled.uprooted) == ("cancelled", False)
    assert isinstance(good, Written)
    assert (good.made, good.uprooted, woken) == (("a",), False, False)


def test_of_a_mirrored_root_only_what_is_wanted_is_read() -> None:
    """What else lies there is another's."""
    scene = Scene()
    scene.store.ensure(MEMBERS, f"{RECORDS}/mine", f"{RECORDS}/theirs")
    scene.membership.join((MEMBERS, RECORDS), {RECORDS: lambda path: "theirs" not in path})
    changes = scene.changes()

    put = {one.path for one in changes if isinstance(one, Put) and one.stored is not None}
    assert f"{RECORDS}/mine" in put
    assert f"{RECORDS}/theirs" not in put
    assert {one.root for one in changes if isinstance(one, Synced)} == {MEMBERS, RECORDS}
    assert scene.membership.attendance.roots == {MEMBERS, RECORDS}
