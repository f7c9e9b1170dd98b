"""A long queue is judged by its kinds: that must never change what is done."""

import random
from dataclasses import replace

import pytest

from launcher.actions import Action
from launcher.decide import decide
from launcher.request.demand_pass import DemandPass
from launcher.request.view import RequestView
from launcher.world import World
from tests.bench.worlds import NOW, Shape, make_ready, settle, world


def queue_of(seed: int) -> World:
    """Return a world in a nearly full cloud whose queue was judged before, after some changes."""
    rng = random.Random(seed)  # noqa: S311 - to be repeatable
    nodes = rng.randrange(5, 60)
    room = rng.randrange(0, 4)
    made = world(Shape(used=nodes, free=0, waiting=rng.randrange(1, 80), limit=nodes + room))
    for view in list(made.queue.views.values()):
        vary(made, view, rng)
    settle(made)
    made.take_agenda()
    for _ in range(rng.randrange(0, 4)):
        make_ready(made, rng.randrange(0, nodes))
    if rng.random() < 0.5:
        made.drop_node(rng.choice(list(made.nodes.views)))
    made.agenda.supply = True
    return made


def vary(made: World, view: RequestView, rng: random.Random) -> None:
    """Make one request large, choosy or old."""
    changes = rng.choice(
        [{}, {}, {"labels": view.request.labels * 3}, {"reuse": False}, {"provider": "west"}]
    )
    view.request = replace(view.request, **changes)
    view.seen_s = NOW.mono_s - rng.choice([5.0, 29.0, 31.0, 100.0])
    made.touch_request(view)


class Anew(DemandPass):
    """A pass over the queue that thinks of each request anew."""

    def settled(self, view: RequestView) -> bool:  # noqa: ARG002 - the answer is always no
        """Nothing is known before it was judged."""
        return False


@pytest.mark.parametrize("seed", range(40))
def test_who_is_passed_over_would_have_got_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same actions and the same reserved room, whether each request is judged or not."""
    made = queue_of(seed)
    agenda = made.take_agenda()

    passed_over = decide(made, agenda, NOW)
    monkeypatch.setattr("launcher.request.demand.DemandPass", Anew)
    judged = decide(made, agenda, NOW)

    assert _words(judged.actions) == _words(passed_over.actions)
    assert judged.blocked == passed_over.blocked


def _words(actions: list[Action]) -> list[str]:
    return [repr(action) for action in actions]
