"""Requests that another provider has taken: everybody else says why it does not serve them."""

from collections.abc import Callable

import pytest

from launcher.request.actions import WriteVerdict
from launcher.request.taken import TAKEN_AFTER_S, TAKEN_MAX, TAKEN_PERIOD_S
from launcher.request.verdicts import gist
from launcher.world import World
from remuda.model.request import RequestState
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import (
    NOW,
    add_node,
    add_pool,
    add_provider,
    add_replica,
    add_request,
    later,
    of_kind,
    think,
    world,
)

LONG_AGO_S = NOW.mono_s - TAKEN_AFTER_S


def stage(*, servers: int = 2) -> World:
    """Return a world in which another provider lives."""
    made = world(pools={"main": {"max-servers": servers}})
    add_provider(made, "there")
    add_pool(made, "there", "other", "small", "large", "huge")
    return made


def away(made: World) -> None:
    """Let our cloud be away."""
    made.cloud.trouble = "HTTP 503"


def full(made: World) -> None:
    """Let our pool be full."""
    add_node(made, 1, label="large", allocated_to="200-0000000009")
    add_node(made, 2, label="large", allocated_to="200-0000000009")


def broken(made: World) -> None:
    """Let the label be one that cannot be made."""
    made.cloud.broken["main", "small"] = "no image"


def well(made: World) -> None:
    """Leave everything as it is."""


@pytest.mark.parametrize(
    ("happens", "labels", "ruling", "words"),
    [
        (away, ("small",), "waiting", "and here the cloud is out of service: HTTP 503"),
        (full, ("small",), "waiting", "and here pool main has 2 of 2 instances in use"),
        (broken, ("small",), "waiting", "and here small cannot be made: no image"),
        (well, ("small",), "yielding", "another provider has taken it"),
        (well, ("huge",), "declined", "it makes not all of its labels"),
        (well, ("small",) * 3, "declined", "3 nodes at once never fit: 3 instances needed"),
    ],
)
def test_we_say_why_we_do_not_serve_it(
    happens: Callable[[World], None], labels: tuple[str, ...], ruling: str, words: str
) -> None:
    """Also while another has taken it, for that one may be slow."""
    made = stage()
    happens(made)
    view = add_request(made, 1, *labels, state=RequestState.PENDING, seen_s=LONG_AGO_S)

    (rule,) = of_kind(think(made), WriteVerdict)

    assert (rule.request, rule.taken, str(rule.verdict.ruling)) == (view.id, True, ruling)
    assert words in rule.verdict.reason


def test_whom_it_prefers_is_said_first() -> None:
    """Whoever asked chose."""
    made = stage()
    add_request(made, 1, state=RequestState.PENDING, provider="there", seen_s=LONG_AGO_S)

    assert [one.verdict.reason for one in of_kind(think(made), WriteVerdict)] == [
        "it prefers there"
    ]


def test_most_are_served_before_anything_is_said() -> None:
    """And what is said is said once: numbers alone are no news."""
    made = stage()
    full(made)
    view = add_request(made, 1, state=RequestState.PENDING)
    early = of_kind(think(made), WriteVerdict)
    (rule,) = of_kind(think(made, later(TAKEN_AFTER_S)), WriteVerdict)
    words = gist(rule.verdict)
    made.told_verdicts[view.id] = words.replace("2 of 2", "1 of 2")
    same = of_kind(think(made, later(TAKEN_AFTER_S)), WriteVerdict)
    away(made)

    assert (early, same) == ([], [])
    assert len(of_kind(think(made, later(TAKEN_AFTER_S)), WriteVerdict)) == 1


def test_few_are_written_at_once() -> None:
    """ZooKeeper is there for those that hand nodes out; the rest follows by alarms."""
    made = stage()
    works = Works(made)
    for number in range(2 * TAKEN_MAX + 1):
        add_request(made, number, state=RequestState.PENDING, seen_s=LONG_AGO_S)
    counts = []
    for second in (0.0, 0.5, 1.0, 2.0, 3.0):
        now = later(second * TAKEN_PERIOD_S)
        plan = think(made, now)
        works.start(plan, now, WriteVerdict)
        counts.append(len(of_kind(plan, WriteVerdict)))

    assert counts == [TAKEN_MAX, 0, TAKEN_MAX, 1, 0]


def test_those_that_had_to_wait_are_looked_at_again() -> None:
    """By an alarm of their own, not only once a minute."""
    made = stage()
    for number in range(TAKEN_MAX + 1):
        add_request(made, number, state=RequestState.PENDING, seen_s=LONG_AGO_S)

    alarms = [one.due_s for one in think(made).alarms if one.kind == "request"]

    assert alarms == [NOW.mono_s + TAKEN_PERIOD_S]


def test_one_replica_speaks() -> None:
    """The one that decides about launches, as of all other requests."""
    made = stage()
    for number in range(40):
        add_replica(made, "here", f"replica-{number}")
    add_request(made, 1, state=RequestState.PENDING, seen_s=LONG_AGO_S)

    assert bool(of_kind(think(made), WriteVerdict)) is made.peers.assigned("demand")


def test_a_change_elsewhere_does_not_have_all_of_them_judged() -> None:
    """There may be thousands: they are spoken of when they change, and once a minute."""
    made = stage()
    view = add_request(made, 1, state=RequestState.PENDING, seen_s=LONG_AGO_S)
    made.take_agenda()
    made.agenda.supply = True

    assert of_kind(think(made, everything=False), WriteVerdict) == []
    made.agenda.requests.add(view.id)
    assert len(of_kind(think(made, everything=False), WriteVerdict)) == 1


def test_a_verdict_that_says_why_we_declined_is_not_written_over() -> None:
    """Why we did is known; that we did is less."""
    made = stage()
    declined = ("id-main",)
    view = add_request(made, 1, state=RequestState.PENDING, seen_s=LONG_AGO_S, declined_by=declined)
    made.told_verdicts[view.id] = "declined|its launches failed|[]"

    assert of_kind(think(made), WriteVerdict) == []
