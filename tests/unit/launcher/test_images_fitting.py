"""Machines that fit together for a request: nobody makes others for it, or takes them away."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.claim.actions import Claim
from launcher.node.actions import Condemn, Grow, Probe
from launcher.node.view import NodeView
from launcher.request.actions import Allocate, Decline
from launcher.request.view import MayGet
from launcher.world import World
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.request import RequestState
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Put, Stored
from tests.unit.launcher.imaged import booted, builds, condemned, imaged, own, point, store_build
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_replica,
    add_request,
    of_kind,
    think,
)

LONG_AGO = NOW.mono_s - 3600.0
CHECKED = {"small": {"recheck": None, "max-check-age": 60}}


WHO_GETS_WHAT = [
    (("small",), {}, MayGet.ANY),
    (("small", "large"), {}, MayGet.MATCHING),
    (("small", "small"), {}, MayGet.MATCHING),
    (("small",), {"image": ImageAsk(use=ImageUse.MAKE)}, MayGet.MATCHING),
    (("small",), {"reuse": False}, MayGet.NEW),
    (("small", "small"), {"reuse": False}, MayGet.NEW),
]


@pytest.mark.parametrize(("labels", "fields", "expected"), WHO_GETS_WHAT)
def test_a_request_says_which_machines_it_may_get(
    labels: tuple[str, ...], fields: dict[str, Any], expected: MayGet
) -> None:
    """By its record, and by what its labels boot."""
    view = add_request(imaged(), 1, *labels, **fields)

    assert view.may_get is expected


def two_ready(made: World) -> list[NodeView]:
    """Add two machines of one build, looked at long ago."""
    nodes = [add_node(made, n, launch=booted(1)) for n in (1, 2)]
    for node in nodes:
        node.look.checked_s = LONG_AGO
    return nodes


def test_what_is_looked_at_for_a_request_is_not_made_anew() -> None:
    """It is claimed, as others are, and nothing is started for it."""
    made = imaged(labels=CHECKED)
    two_ready(made)
    view = add_request(made, 1, "small", "small")
    plan = think(made)

    assert len(of_kind(plan, Probe)) == 2
    assert [one.intents for one in of_kind(plan, Claim)] == [()]
    for node in made.nodes.views.values():
        node.busy = "probe"
        made.touch_node(node)
    view.request = replace(view.request, state=RequestState.PENDING)
    add_claim(made, view)
    assert of_kind(think(made), Grow) == []


def test_what_is_looked_at_for_a_request_makes_no_room_for_it() -> None:
    """The pool is full of the very machines that it is to get."""
    made = imaged(labels=CHECKED, pools={"main": {"max-servers": 2}})
    two_ready(made)
    add_request(made, 1, "small", "small")

    assert of_kind(think(made), Condemn) == []


def test_what_a_replica_of_ours_is_about_to_lend_stays() -> None:
    """For a moment; if it does not, they are ours to give once we have claimed the request."""
    made = imaged(pools={"main": {"max-servers": 2}})
    add_replica(made, "here", "twin")
    two_ready(made)
    views = [add_request(made, n, "small", "small") for n in range(1, 20)]
    his = next(one for one in views if not made.peers.assigned(one.id))
    for one in views:
        if one is not his:
            made.queue.forget(one.id)
    plan = think(made)

    assert of_kind(plan, Claim, Condemn, Allocate) == []


def test_what_is_promised_to_one_is_no_supply_for_another() -> None:
    """A second request like it gets machines of its own."""
    made = imaged(labels=CHECKED)
    two_ready(made)
    add_request(made, 1, "small", "small")
    add_request(made, 2, "small", "small")
    claims = of_kind(think(made), Claim)

    assert [len(one.intents) for one in claims] == [0, 2]


def test_a_build_whose_record_cannot_be_read_is_not_booted() -> None:
    """It may have been revoked; what waits ready is not thrown away for that."""
    made = imaged()
    add_request(made, 1)
    node = add_node(made, 1, label="large", launch=booted(1))
    path = paths.build(BuildId("noble", 1))
    with pytest.raises(CorruptRecordError):
        made.images.take(Put(path=path, stored=Stored(path=path, value=b"{", version=9)))

    assert builds(made) == []
    assert node.id not in condemned(made)


def test_who_goes_on_with_another_build_gives_up_the_rest_once() -> None:
    """Though the older one is what is served now: it does not go round in circles."""
    made = imaged()
    store_build(made, 2, UploadState.RETIRING)
    point(made, 1)
    view = add_request(made, 1, "small", "small", state=RequestState.PENDING)
    add_claim(made, view)
    newer = own(made, 1, view, booted(2))
    assert builds(made) == ["noble/1"]
    older = own(made, 2, view, booted(1))

    assert condemned(made).keys() == {newer.id}
    made.drop_node(newer.id)
    assert builds(made) == ["noble/1"]
    assert older.id not in condemned(made)


def test_a_builders_label_without_what_it_is_for_is_declined() -> None:
    """With any other shape, too; and what is asked under a label of users changes nothing."""
    made = imaged()
    label = image_label("noble", ImageUse.MAKE)
    views: list[Any] = [
        add_request(made, 1, label, provider="here", reuse=False),
        add_request(made, 2, label, provider="here", reuse=True),
    ]

    found = of_kind(think(made), Decline)
    assert [one.request for one in found] == [one.id for one in views]
