"""Charges: a request is given up for launches on its own account only, seen alike by everybody."""

from dataclasses import replace

import pytest

from launcher.actions import Plan
from launcher.claim.actions import Claim
from launcher.claim.charges import Charges
from launcher.node.actions import Condemn, Grow, Intent
from launcher.node.blame import says_something
from launcher.node.view import NodeView
from launcher.request.actions import Decline
from launcher.request.view import RequestView
from launcher.world import World
from remuda.metrics.results import Result
from remuda.model import launch as launches
from remuda.model.codec import dump
from remuda.model.ids import NodeId, RequestId
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.store import paths
from remuda.store.api import Create, Gone, Put, Stored
from tests.unit.launcher.works import Works, quiet_fold
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_request,
    charge,
    of_kind,
    think,
    world,
)


def put(path: str, data: bytes, *, created_s: float = 0.0) -> Put:
    """Return the news of a record."""
    stored = Stored(
        path=path, value=data, version=1, created_s=created_s, modified_s=created_s, owner=0
    )
    return Put(path=path, stored=stored)


def tell(made: World, *changes: Put | Gone) -> None:
    """Fold changes into a world."""
    fold = quiet_fold(made)
    made.attendance.synced.add(paths.provider("here"))
    for change in changes:
        fold.fold(change, now_s=NOW.mono_s)


def failed(view: NodeView, word: str | None = "ssh", *, made_s: float = 0.0) -> Put:
    """Return the news that a launch failed on its way."""
    assert view.launch is not None
    record = replace(view.launch, step=Step.CONDEMNED, why="no luck", failed=word)
    return put(paths.launch("here", view.id), launches.encode(record), created_s=made_s)


def claimed(made: World, number: int, *labels: str) -> RequestView:
    """Add a request that we have claimed."""
    view = add_request(made, number, *labels, state=RequestState.PENDING)
    add_claim(made, view)
    return view


def coming(made: World, number: int, account: RequestView | None) -> NodeView:
    """Add a node on its way, on account of a request."""
    charged = {} if account is None else {"on_account_of": account.id}
    return add_node(made, number, step=Step.BOOTING, launch=charged)


def grown(plan: Plan) -> list[Intent]:
    """Return what a plan starts."""
    return [one for action in of_kind(plan, Claim, Grow) for one in action.intents]


def test_the_intents_of_a_claim_are_on_its_account() -> None:
    """Also those of who wants new machines."""
    made = world()
    views = [add_request(made, 1, "small", "large"), add_request(made, 2, reuse=False)]

    found = {(one.on_account_of, one.label) for one in grown(think(made))}

    first, second = (view.id for view in views)
    assert {(first, "small"), (first, "large"), (second, "small")} == found


def test_three_failures_of_a_shared_label_do_not_fail_the_oldest_of_ten() -> None:
    """Each is charged to the request that it was made for; none has failed too often."""
    made = world(pools={"main": {"max-servers": 20}}, **{"launch-attempts": 2})
    views = [claimed(made, number) for number in range(1, 11)]
    nodes = [coming(made, number, view) for number, view in enumerate(views, start=1)]

    tell(made, *(failed(node) for node in nodes[4:7]))

    plan = think(made)
    assert [made.queue.charges.count(view.id) for view in views] == [0] * 4 + [1] * 3 + [0] * 3
    assert of_kind(plan, Decline) == []
    assert [view.id for view in views[4:7]] == [one.on_account_of for one in grown(plan)]


def test_a_request_whose_own_launches_failed_too_often_is_declined() -> None:
    """``launch-attempts`` for each node that it wants; the others go on."""
    made = world(**{"launch-attempts": 2})
    old, spent = claimed(made, 1), claimed(made, 2, "small", "small")
    tell(made, *(failed(coming(made, number, spent)) for number in range(1, 4)))
    before = of_kind(think(made), Decline)
    tell(made, failed(coming(made, 4, spent)))

    assert before == []
    why = "4 launches for it failed; the last: no luck"
    assert [Decline(request=spent.id, cause=why)] == of_kind(think(made), Decline)
    assert {old.id} == {one.on_account_of for one in grown(think(made))}


def test_each_label_of_a_request_has_its_own_attempts() -> None:
    """The one that fails always ends it; what fails now and then of another adds nothing."""
    made = world(**{"launch-attempts": 2})
    spent, other = (claimed(made, number, "small", "large") for number in (1, 2))
    nodes = [coming(made, 1, spent), coming(made, 2, spent), coming(made, 3, other)]
    tell(made, *(failed(node) for node in nodes))
    large = add_node(made, 4, label="large", launch={"on_account_of": other.id})
    tell(made, failed(large))

    assert [one.request for one in of_kind(think(made), Decline)] == [spent.id]


@pytest.mark.parametrize(("account", "word"), [(True, None), (False, "ssh")])
def test_nobody_is_charged_for_min_ready_or_for_lack_of_room(
    account: bool,  # noqa: FBT001
    word: str | None,
) -> None:
    """Nor for records of before, which say nothing."""
    made = world()
    view = claimed(made, 1)

    tell(made, failed(coming(made, 1, view if account else None), word))

    assert made.queue.charges.count(view.id) == 0


def test_a_failure_is_counted_once_however_often_it_is_told() -> None:
    """The record is written again by the delete, and read again after a reconnect."""
    made = world()
    view = claimed(made, 1)
    news = failed(coming(made, 1, view))

    tell(made, news, news)

    assert (made.queue.charges.count(view.id), made.queue.charges.last(view.id)) == (1, "no luck")


def test_another_claim_begins_anew_and_an_adopted_one_does_not() -> None:
    """What a new owner writes is the same record; one that is made again is another."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    lock = f"{paths.request_lock(view.id)}/c"
    path, doc = (
        paths.claim("here", view.id),
        dump({"owner": "a", "pool": "main", "contender": lock}),
    )
    counts = []
    tell(made, put(path, doc, created_s=1.0))
    charge(made, view, 2, why="no luck", made_s=1.0)
    for news in (
        put(path, doc, created_s=1.0),
        put(path, doc, created_s=2.0),
    ):
        tell(made, news)
        counts.append(made.queue.charges.count(view.id))
    charge(made, view, 2, why="no luck")
    tell(made, Gone(path=path))

    assert [*counts, made.queue.charges.count(view.id)] == [2, 0, 0]


@pytest.mark.parametrize(("made_s", "count"), [(1.0, 0), (2.0, 1), (3.0, 1)])
@pytest.mark.parametrize("order", ["launch, claim", "claim, launch", "launch, claim, launch"])
def test_a_launch_of_an_earlier_claim_is_not_charged_again(
    made_s: float, count: int, order: str
) -> None:
    """Whoever adopts it when it has failed writes its record once more, and starters read it."""
    made = world()
    request = add_request(made, 1, state=RequestState.PENDING)
    news = {
        "launch": failed(coming(made, 1, request), made_s=made_s),
        "claim": put(paths.claim("here", request.id), dump({"owner": "a"}), created_s=2.0),
    }

    tell(made, *(news[name] for name in order.split(", ")))

    assert made.queue.charges.count(request.id) == count


def test_launches_that_are_told_before_their_claims_count() -> None:
    """A launcher that starts reads what is there, in any order."""
    made = world()
    view = add_request(made, 1, state=RequestState.PENDING)
    charge(made, view, 1, why="no luck")
    fold = quiet_fold(made)

    fold.fold(put(paths.claim("here", view.id), dump({"owner": "a"})), now_s=NOW.mono_s)

    assert made.queue.charges.count(view.id) == 1


def test_what_others_cover_meanwhile_makes_room_on_their_account() -> None:
    """The oldest gets the next machine, whoever it was made for; who lost it gets another."""
    made = world()
    old, new = claimed(made, 1, "small", "small"), claimed(made, 2)
    coming(made, 1, old)
    coming(made, 2, new)

    assert [old.id] == [one.on_account_of for one in grown(think(made))]


def test_what_is_more_than_the_own_needs_is_on_nobodys_account() -> None:
    """Charges are for what a request lacks, never for more."""
    made = world()
    view = claimed(made, 1)
    coming(made, 1, view)
    other = claimed(made, 2)

    plan = think(made)

    assert [other.id] == [one.on_account_of for one in grown(plan)]
    assert len(made.nodes.own(view.id, "small")) == 1


@pytest.mark.parametrize(("result", "word"), [(Result.SSH, "error.ssh"), (None, None)])
def test_the_record_of_a_failed_launch_says_so(result: Result | None, word: str | None) -> None:
    """So that every replica, and the next process, counts it."""
    made = world()
    works, view = Works(made), coming(made, 1, None)
    store, place = works.starter.writer.sender.ground.store, paths.launch("here", view.id)
    store.ensure(paths.launches("here"), paths.NODES)
    store.commit([Create(path=place), Create(path=paths.node(view.id))])
    view.launch_version = view.node_version = 0

    plan = Plan(actions=[Condemn(node=view.id, cause="no luck", result=result)])
    works.start(plan, NOW, Condemn)

    stored = store.read(place)
    assert stored is not None
    assert launches.decode(view.id, stored.value).failed == word


@pytest.mark.parametrize("result", [None, *Result])
def test_only_room_comes_and_goes_by_itself(result: Result | None) -> None:
    """Whatever else fails would fail again, an order that was refused before all."""
    assert says_something(result) is (result not in {None, Result.QUOTA})


def test_only_claimed_requests_are_kept() -> None:
    """What is charged too late, after the end, is forgotten once a minute."""
    charges = Charges()
    for name in ("200-1", "200-2"):
        charges.add(RequestId(name), NodeId("1"), "no luck", label="small", made_s=1.0)

    charges.keep({RequestId("200-2")})

    assert [charges.count(RequestId(name)) for name in ("200-1", "200-2")] == [0, 1]
