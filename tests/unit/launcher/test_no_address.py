"""Floating IPs that are refused: what is learnt, what is tried again, and who is told why."""

import pytest

from launcher.claim.actions import Claim
from launcher.node.actions import CollectEvidence, Condemn
from launcher.node.view import NodeView
from launcher.provider.learning import ADDRESS_AGAIN_MAX_S, NO_ROOM_MAX_S, learn_no_room
from launcher.request.actions import Decline
from launcher.server.actions import Address, FindPorts
from launcher.server.events import Addressed, PortsFound
from launcher.world import World
from remuda.cloud.api import (
    BadOrderError,
    CloudError,
    FloatingIp,
    GoneError,
    NoRoomError,
    Port,
    Server,
    ServerStatus,
    TryLaterError,
    UnauthorizedError,
)
from remuda.frame.work import Written
from remuda.metrics.results import Result
from remuda.model.launch import Step
from remuda.model.request import RequestState
from remuda.runtime.now import Now
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_request,
    charge,
    doom,
    later,
    of_kind,
    think,
    world,
)

FULL = NoRoomError("HTTP 409: no more addresses")
UNREACHABLE = BadOrderError("HTTP 404: external network x is not reachable")
PORT_GONE = GoneError("HTTP 404: port could not be found")


def waiting_node(made: World, number: int = 1) -> NodeView:
    """Add a node that runs, has a port, and has no address yet."""
    view = add_node(made, number, step=Step.PROVING)
    assert view.server.id is not None
    view.server.shown = Server(
        id=view.server.id, name="np", status=ServerStatus.ACTIVE, public_ipv4="10.0.0.5"
    )
    view.server.port = Port(id=f"port {number}", server=view.server.id, ipv4="10.0.0.5")
    made.touch_node(view)
    return view


def stage() -> tuple[World, Works, NodeView]:
    """Return a world whose pool gives floating IPs, and a node that waits for one."""
    made = world(pools={"main": {"max-servers": 10, "floating-ips": True}})
    return made, Works(made), waiting_node(made)


def test_no_more_machines_are_begun_that_cannot_be_reached() -> None:
    """The verdict says what the pool lacks."""
    made, works, view = stage()
    request = add_request(made, 1, "large")

    works.hear(Addressed(node=view.id, result=FULL), later(0.0))
    plan = think(made)

    assert of_kind(plan, Claim) == []
    assert "no more addresses" in plan.verdicts[request.id].reason


def test_refusals_of_many_nodes_at_once_are_one_lesson() -> None:
    """The pause doubles when it was in vain, not with the number of nodes that wait."""
    made, works, first = stage()
    views = [first, *(waiting_node(made, number) for number in range(2, 7))]
    for view in views:
        works.hear(Addressed(node=view.id, result=FULL), later(0.0))
    once = made.cloud.no_room_until_s["main"] - NOW.mono_s
    works.hear(Addressed(node=first.id, result=FULL), later(once))

    assert made.cloud.no_room_until_s["main"] - later(once).mono_s == 2 * once
    assert once < NO_ROOM_MAX_S / 8


def test_what_was_refused_during_a_pause_asks_for_no_survey() -> None:
    """One for each lesson."""
    made, _, _ = stage()
    due_s = made.cloud.survey_due_s
    learn_no_room(made, "main", FULL, NOW)
    asked_s, made.cloud.survey_due_s = made.cloud.survey_due_s, due_s
    learn_no_room(made, "main", FULL, later(1.0))

    assert (asked_s, made.cloud.survey_due_s) == (NOW.mono_s, due_s)


@pytest.mark.parametrize(
    ("error", "looks"), [(FULL, False), (TryLaterError("503"), False), (PORT_GONE, True)]
)
def test_the_node_tries_again_after_doubling_pauses(error: CloudError, *, looks: bool) -> None:
    """Its port is looked for again only if it was replaced."""
    made, works, view = stage()
    now, pauses = NOW, []
    for _ in range(8):
        works.hear(Addressed(node=view.id, result=error), now)
        pauses.append(view.patience.retry_s - now.mono_s)
        now = Now(wall_s=NOW.wall_s, mono_s=view.patience.retry_s)

    early, late = think(made, later(0.0)), think(made, now)

    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert pauses[-1] == ADDRESS_AGAIN_MAX_S
    assert of_kind(early, Address, FindPorts) == []
    assert [FindPorts if looks else Address] == [
        type(action) for action in of_kind(late, Address, FindPorts)
    ]


def test_a_node_whose_network_leads_nowhere_is_refused_with_the_cause() -> None:
    """Evidence names it, the breaker counts it, and the request is given up in the end."""
    made, works, view = stage()
    request = add_request(made, 1, state=RequestState.PENDING)
    add_claim(made, request)

    works.hear(Addressed(node=view.id, result=UNREACHABLE), later(0.0))
    (condemned,) = of_kind(think(made), Condemn)
    works.hear(Written(action=condemned, result=()), later(0.0))
    doom(made, view)

    assert (condemned.result, view.dying) == (Result.ORDER, True)
    assert "not reachable" in condemned.cause
    assert [view.id] == [
        one.node for one in of_kind(think(made), CollectEvidence) if one.result == "error.nodepool"
    ]
    assert made.cloud.breaker(view.key).failures == 1
    charge(made, request, made.policy.config.launch_attempts, why=condemned.cause)
    assert ["not reachable" in one.cause for one in of_kind(think(made), Decline)] == [True]


@pytest.mark.parametrize(
    ("error", "result", "why"),
    [
        (FULL, Result.QUOTA, "no more addresses"),
        (TryLaterError("HTTP 503"), Result.NETWORK, "HTTP 503"),
        (UnauthorizedError("HTTP 403"), Result.ORDER, "HTTP 403"),
        (None, Result.NETWORK, "no port"),
    ],
    ids=["room", "later", "rights", "no port"],
)
def test_a_node_that_runs_out_of_time_without_an_address_blames_that(
    error: CloudError | None, result: Result, why: str
) -> None:
    """Nobody ever tried SSH."""
    made, works, view = stage()
    if error is not None:
        works.hear(Addressed(node=view.id, result=error), later(0.0))

    (condemned,) = of_kind(think(made, later(10_000.0)), Condemn)

    assert condemned.result is result
    assert why in condemned.cause
    assert "too long" in condemned.cause


def test_a_look_at_ports_that_fails_is_blamed_too() -> None:
    """Until one succeeds."""
    made, works, view = stage()
    view.server.port = None
    works.hear(PortsFound(result=TryLaterError("HTTP 503"), begun_s=NOW.mono_s), later(0.0))
    (failed,) = of_kind(think(made, later(10_000.0)), Condemn)
    works.hear(PortsFound(result={}, begun_s=NOW.mono_s), later(1.0))
    (unseen,) = of_kind(think(made, later(10_000.0)), Condemn)

    assert ("HTTP 503" in failed.cause, "HTTP 503" in unseen.cause) == (True, False)


def test_an_address_in_the_end_ends_the_blame() -> None:
    """What fails then is something else, and begins with all its attempts."""
    made, works, view = stage()
    works.hear(Addressed(node=view.id, result=FULL), later(0.0))
    given = FloatingIp(id="fip", address="203.0.113.1")
    works.hear(Addressed(node=view.id, result=given), later(5.0))

    (condemned,) = of_kind(think(made, later(10_000.0)), Condemn)

    assert (condemned.result, view.patience.tries) == (Result.SSH, 0)
