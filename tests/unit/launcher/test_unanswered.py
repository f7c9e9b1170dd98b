"""Create calls without an answer: their room is kept, but nobody counts on the machines."""

from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.provider.status import our_status
from launcher.request.actions import Release
from launcher.server.actions import CreateServer
from launcher.server.events import Created
from launcher.world import World
from remuda.cloud.api import UnknownOutcomeError
from remuda.frame.work import Written
from remuda.metrics.results import Result
from remuda.model.ids import ServerId
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_provider,
    add_request,
    asked,
    later,
    of_kind,
    started,
    think,
    world,
)

LOST = UnknownOutcomeError("503 Service Unavailable")


def stage(*, room: int = 10) -> tuple[World, Works, NodeView]:
    """Return a world with one claimed request and its node, asked for."""
    made = world(pools={"main": {"max-servers": room}})
    add_claim(made, add_request(made, 1, state=RequestState.PENDING))
    return made, Works(made), asked(made, 1)


def test_what_is_under_way_counts_and_what_had_no_answer_does_not() -> None:
    """Another is started, though not at once: the next call would be lost as well."""
    made, works, view = stage()
    before = started(think(made))
    works.hear(Created(node=view.id, result=LOST, seconds=0.1), NOW)
    at_once, soon = started(think(made)), started(think(made, later(5.0)))

    assert (before, at_once, soon) == (0, 0, 1)
    assert our_status(made, later(5.0)).labels["small"].coming == 0


def test_its_room_is_kept() -> None:
    """The server may be there."""
    made, works, view = stage(room=1)
    works.hear(Created(node=view.id, result=LOST, seconds=0.1), NOW)

    assert started(think(made, later(5.0))) == 0
    assert our_status(made, later(5.0)).labels["small"].room == 0


def test_it_counts_again_when_a_listing_shows_it() -> None:
    """Only the reply was lost."""
    made, works, view = stage()
    works.hear(Created(node=view.id, result=LOST, seconds=0.1), NOW)
    view.server.confirm(ServerId("1"))
    made.touch_node(view)

    assert started(think(made, later(5.0))) == 0


def test_the_request_is_given_to_another_provider_at_once() -> None:
    """It has room, and we do not know what we have."""
    made, works, view = stage()
    add_provider(made, "there", small=LabelStatus(room=3))
    before = of_kind(think(made), Release)
    works.hear(Created(node=view.id, result=LOST, seconds=0.1), NOW)

    assert before == []
    (release,) = of_kind(think(made), Release)
    assert "did not say whether it made a server (503 Service Unavailable)" in release.cause


def test_the_pause_grows_but_not_for_long() -> None:
    """Nothing says that it lasts."""
    made, works, view = stage()
    pauses, now_s = [], 0.0
    for _ in range(5):
        works.hear(Created(node=view.id, result=LOST, seconds=0.1), later(now_s))
        until_s = made.cloud.no_room_until_s["main"] - NOW.mono_s
        pauses.append(until_s - now_s)
        now_s = until_s

    assert pauses == [5.0, 10.0, 20.0, 30.0, 30.0]


def test_a_lost_call_says_nothing_of_the_next_machine_a_minute_later() -> None:
    """It opens no breaker: the pause was the answer to it, when it was news."""
    made, works, view = stage()
    works.hear(Created(node=view.id, result=LOST, seconds=0.1), NOW)
    condemn = Condemn(node=view.id, cause="the create call was lost", result=Result.UNKNOWN)
    works.hear(Written(action=condemn, result=()), later(75.0))

    assert made.cloud.breaker(view.key).failures == 0


def test_an_answer_after_all_counts() -> None:
    """The usual case."""
    made, works, view = stage()
    works.hear(Created(node=view.id, result=ServerId("1"), seconds=0.1), NOW)

    assert not view.server.doubtful
    assert started(think(made, later(5.0))) == 0
    assert of_kind(think(made), CreateServer) == []
