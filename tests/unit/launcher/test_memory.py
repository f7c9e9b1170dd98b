"""Nothing that only a process remembers holds up a request for ever: somebody checks it again."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from launcher.actions import Plan
from launcher.claim.actions import AdoptClaim, Claim
from launcher.provider.actions import Publish
from launcher.provider.hand_rescuing import free_unclaimed
from launcher.request.actions import Allocate, Normalise
from remuda.frame.loop import RESYNC_S
from remuda.frame.work import Written
from remuda.membership.attendance import Attendance
from remuda.membership.membership import Registered
from remuda.model import request as requests
from remuda.model.ids import RequestId
from remuda.model.request import Request, RequestState
from remuda.store import paths
from remuda.store.api import Create, MissingError
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_replica,
    add_request,
    later,
    of_kind,
    think,
    world,
)


def test_a_claim_is_served_though_a_replica_that_had_declined_is_back() -> None:
    """It was not registered when the request was claimed; nobody else may serve it now."""
    made = world()
    add_node(made, 1)
    view = add_request(made, 1, state=RequestState.PENDING, declined_by=("id-main",))
    add_claim(made, view)

    assert [view.id] == [action.request for action in of_kind(think(made), Allocate)]


@pytest.mark.parametrize("reuse", [True, False])
def test_who_has_claimed_a_request_lends_if_the_one_on_duty_does_not(
    reuse: bool,  # noqa: FBT001
) -> None:
    """The other may know the nodes otherwise; of two that lend one is rejected."""
    made = world()
    add_replica(made, "here", "other")
    numbers = (n for n in range(1, 100) if not made.peers.assigned(f"200-{n:010d}"))
    view = add_request(made, next(numbers), state=RequestState.PENDING, reuse=reuse)
    add_claim(made, view)
    node = add_node(made, 1, allocated_to=None if reuse else view.id)
    patience_s = made.policy.patience_s

    assert of_kind(think(made, later(patience_s)), Allocate) == []
    assert [Allocate(request=view.id, nodes=(node.id,))] == of_kind(
        think(made, later(patience_s + 1)), Allocate
    )


def test_a_claimed_request_is_judged_though_its_record_lacks_keys() -> None:
    """Its user wrote it anew; completing it would need the lock that we hold ourselves."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    view.request.doc.clear()
    add_claim(made, view, pool="no longer configured")

    plan = think(made)

    assert of_kind(plan, Normalise) == []
    assert len(plan.actions) == 1


def test_a_request_that_another_provider_took_keeps_no_room() -> None:
    """Those behind it may have it at once, not after the next look at everything."""
    made = world(pools={"main": {"max-servers": 1}})
    first = add_request(made, 1, state=RequestState.PENDING)
    second = add_request(made, 2)
    made.blocked = {"main": first.id}
    made.agenda.everything, made.agenda.supply = False, False

    plan = think(made, everything=False)

    assert [second.id] == [action.request for action in of_kind(plan, Claim)]


def test_a_claim_whose_lock_somebody_removed_is_locked_again() -> None:
    """An attempt to give the lock up tells that it is gone; else it would fail for ever."""
    made = world()
    node = add_node(made, 1)
    view = add_request(made, 1, state=RequestState.PENDING)
    claim = add_claim(made, view)
    works = Works(made)
    (allocate,) = of_kind(think(made), Allocate)
    works.start(Plan(actions=[allocate]), NOW, Allocate)

    gone = MissingError(claim.contender, "gone")
    works.hear(Written(action=allocate, result=gone), NOW)

    assert [view.id] == [action.request for action in of_kind(think(made), AdoptClaim)]
    assert node.busy is None


def test_a_claim_that_cannot_be_taken_over_yet_is_left_alone_for_a_moment() -> None:
    """The lock of the dead one may be there for some seconds."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    claim = add_claim(made, view, owner="dead")
    claim.retry_s = NOW.mono_s + 0.1

    plan = think(made)

    assert of_kind(plan, AdoptClaim) == []
    assert ("request", view.id, claim.retry_s) in [(a.kind, a.name, a.due_s) for a in plan.alarms]


def test_the_status_is_told_again_after_another_replica_may_have_told_it() -> None:
    """What this process told last may not be what the others read."""
    made = world()
    made.publish_due_s = NOW.mono_s
    (publish,) = of_kind(think(made), Publish)
    made.published, made.outlined = publish.status, publish.outline
    silent = of_kind(think(made, later(20.0)), Publish)
    made.doubt_status()

    assert silent == []
    assert [publish] == of_kind(think(made, NOW), Publish)


@dataclass
class Doubted:
    """Notes how often we register, as far as a script says that it is needed."""

    attendance: Attendance
    told: list[bool]
    answers: Iterator[bool]

    def register(self, *, doubtful: bool = False) -> None:
        """Note it."""
        self.told.append(doubtful)

    def agrees(self) -> bool:
        """Return the next answer."""
        return next(self.answers)

    def lost(self) -> None:
        """Do nothing."""

    def heard(self, event: Registered, now_s: float) -> bool:
        """Take it in as it is."""
        del now_s
        return event.error is None


def test_ephemerals_that_differ_at_two_looks_are_made_again() -> None:
    """At one look they may only be late."""
    made = world()
    clock, told = ManualClock(), list[bool]()
    works = Works(made)
    answers = iter((False, True, False, False, True))
    brain = works.brain(works.starter, clock)
    brain.loop.membership = Doubted(made.attendance, told, answers)
    looks = []
    for _ in range(5):
        clock.advance(RESYNC_S)
        brain.turn(wait_s_max=0.0)
        looks.append(len(told))

    assert (looks, told) == ([0, 0, 0, 1, 1], [True])


class Store:
    """A ZooKeeper with one pending request."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store: FakeStore = FakeZookeeper(self.clock).connect()
        self.id = RequestId("200-0000000001")
        self.store.ensure(paths.claims("here"), paths.claims("there"), paths.REQUEST_LOCKS)
        record = Request(id=self.id, state=RequestState.PENDING, labels=("small",), doc={})
        self.store.ensure(paths.REQUESTS)
        self.store.commit([Create(path=paths.request(self.id), data=requests.encode(record))])

    def state(self) -> RequestState:
        """Return the state of the request."""
        stored = self.store.read(paths.request(self.id))
        assert stored is not None
        return requests.decode(self.id, stored.value).state


@pytest.mark.parametrize("directory", [True, False])
def test_a_pending_request_that_nobody_has_claimed_is_given_back(
    directory: bool,  # noqa: FBT001
) -> None:
    """Another program's launcher took it and died; nobody else would look at it again."""
    made = Store()
    if directory:
        made.store.ensure(paths.request_lock(made.id))

    freed = free_unclaimed(made.store, [made.id], now_s=5.0)

    assert (freed, made.state()) == (1, RequestState.REQUESTED)


def test_a_pending_request_that_somebody_works_on_is_left_alone() -> None:
    """He holds its lock, or his claim says so."""
    locked, claimed = Store(), Store()
    locked.store.ensure(paths.request_lock(locked.id) + "/0__lock__0000000000")
    claimed.store.commit([Create(path=paths.claim("there", claimed.id))])

    freed = [free_unclaimed(one.store, [one.id], now_s=5.0) for one in (locked, claimed)]

    assert freed == [0, 0]
    assert {RequestState.PENDING} == {locked.state(), claimed.state()}
