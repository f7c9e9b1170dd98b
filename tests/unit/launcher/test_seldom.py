"""What happens seldom, in between: records of others, changed minds, looks at the wrong moment."""

from dataclasses import replace

import pytest

from launcher.actions import Alarm
from launcher.claim.actions import AdoptClaim, Claim, DropClaim
from launcher.image.binding import asked
from launcher.lanes import request
from launcher.node.actions import Condemn, Free, Probe
from launcher.node.lifecycle import RECIPE_AGAIN_S
from launcher.node.probing import probe_target
from launcher.request.actions import Decline
from launcher.server.actions import CreateServer
from launcher.server.view import ServerView
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from remuda.model.status import LabelStatus
from remuda.runtime.now import Now
from tests.unit.launcher.imaged import PLACE, asking, booted, builds, condemned, imaged, store_build
from tests.unit.launcher.imaged import own as own_node
from tests.unit.launcher.worlds import (
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    of_kind,
    think,
    world,
)

MAKE = image_label("noble", ImageUse.MAKE)


def test_a_builders_request_waits_for_a_look_at_all_requests() -> None:
    """Only that tells whether users wait for the same room."""
    made = imaged()
    made.take_agenda()
    asking(made, ImageUse.MAKE)
    one = think(made, everything=False)

    assert of_kind(one, Claim) == []
    assert Alarm(kind="supply", name="builders", due_s=NOW.mono_s) in one.alarms
    assert len(of_kind(think(made), Claim)) == 1


@pytest.mark.parametrize(
    ("labels", "use"),
    [
        ((MAKE, MAKE), ImageUse.MAKE),
        ((MAKE, "small"), ImageUse.MAKE),
        ((MAKE,), ImageUse.PROVE),
        (("small",), ImageUse.MAKE),
    ],
)
def test_a_builder_asks_for_one_machine_of_the_label_that_says_for_what(
    labels: tuple[str, ...], use: ImageUse
) -> None:
    """Whatever else somebody writes in a builder's name gets nothing that is kept for builders."""
    upload = UploadId(BuildId("noble", 1), PLACE)
    view = add_request(imaged(), 1, *labels, image=ImageAsk(use=use, upload=upload))

    assert asked(view, labels[0]) is None


def test_what_cannot_be_served_as_it_is_written_is_declined_by_who_has_taken_it() -> None:
    """Another provider has: it says so, and the rest of us write nothing into its request."""
    open_one, taken = world(), world()
    add_request(open_one, 1, unfit="node_types: not a list")
    add_request(taken, 1, unfit="node_types: not a list", state=RequestState.PENDING)

    assert len(of_kind(think(open_one), Decline)) == 1
    assert of_kind(think(taken), Decline) == []
    assert think(taken).verdicts == {}


def test_who_has_taken_what_cannot_be_served_declines_it_once() -> None:
    """Not while it writes, nor without the lock that it had when it took it."""
    made = world()
    view = add_request(made, 1, unfit="node_types: not a list", state=RequestState.PENDING)
    claim = add_claim(made, view)
    first = of_kind(think(made), Decline)
    made.busy.enter(request(view.id), first[0])
    again = of_kind(think(made), Decline)
    made.busy.leave(request(view.id), first[0])
    claim.contender_gone = True

    assert [one.request for one in first] == [view.id]
    assert again == []
    assert of_kind(think(made), Decline) == []


def test_no_more_is_planned_while_what_was_planned_is_being_written() -> None:
    """The room may be taken by then; nodes go on all the same."""
    made = world()
    add_request(made, 1)
    node = add_node(made, 1, state=NodeState.USED)
    made.growing = 1
    writing = think(made)
    made.growing = 0

    assert of_kind(writing, Claim) == []
    assert [one.node for one in of_kind(writing, Condemn)] == [node.id]
    assert len(of_kind(think(made), Claim)) == 1


def test_why_we_declined_stays_written_while_others_are_asked() -> None:
    """That is more than what can still be told of it afterwards."""
    made = world()
    add_provider(made, "there", small=LabelStatus())
    view = add_request(made, 1, declined_by=("id-main",))
    before = think(made).verdicts
    made.told_verdicts[view.id] = "declined|3 launches for it failed; the last: no luck|[]"

    assert before[view.id].reason == "it has declined"
    assert think(made).verdicts == {}


@pytest.mark.parametrize("state", ["stale", "busy"])
def test_a_claim_is_not_judged_by_a_request_that_is_just_being_read_or_written(state: str) -> None:
    """It may say something else in a moment."""
    made = world()
    view = add_request(made, 1, state=RequestState.FULFILLED)
    add_claim(made, view)
    drop = DropClaim(request=view.id)
    if state == "stale":
        view.stale = True
    else:
        made.busy.enter(request(view.id), drop)
    meanwhile = of_kind(think(made), AdoptClaim, DropClaim)
    view.stale = False
    made.busy.leave(request(view.id), drop)

    assert meanwhile == []
    assert [DropClaim(request=view.id)] == of_kind(think(made), DropClaim)


def test_a_planned_machine_is_asked_for_when_its_image_and_flavor_are_known_again() -> None:
    """After a reload of the configuration they are looked up: that takes a moment."""
    made = world()
    node = add_node(made, 1, step=Step.PLANNED, server=None)
    made.fresh.add(node.id)
    recipe = made.cloud.recipes.pop(node.key)
    unknown = think(made)
    made.cloud.recipes[node.key] = recipe

    again = Alarm(kind="node", name=node.id, due_s=NOW.mono_s + RECIPE_AGAIN_S)
    assert of_kind(unknown, CreateServer, Condemn) == []
    assert again in unknown.alarms
    assert [CreateServer(node=node.id)] == of_kind(think(made), CreateServer)


@pytest.mark.parametrize("step", [Step.PLANNED, Step.BOOTING, Step.PROVING])
def test_a_machine_in_the_making_goes_with_the_request_that_alone_may_have_it(step: Step) -> None:
    """Its requestor has given up; nobody else would ever get the machine."""
    made = world()
    view = add_request(made, 1, reuse=False, state=RequestState.PENDING)
    node = add_node(made, 1, step=step, allocated_to=view.id, launch={"for_request": view.id})
    if step is Step.PLANNED:
        node.server = ServerView()
    wanted = condemned(made)
    made.queue.forget(view.id)

    assert wanted == {}
    assert condemned(made) == {node.id: "its request is gone"}


def test_a_ready_machine_that_the_cloud_does_not_show_running_is_knocked_at_now_and_then() -> None:
    """Listings lie: it has the last word, but is not asked at every look."""
    made = world(**{"list-period": 10})
    node = add_node(made, 1)
    node.server.shown = Server(id=node.server.id or "", name="np", status=ServerStatus.STOPPED)
    node.look.checked_s = NOW.mono_s - 4.0
    early = think(made)
    late = think(made, Now(wall_s=NOW.wall_s + 6.0, mono_s=NOW.mono_s + 6.0))

    assert of_kind(early, Probe, Condemn) == []
    assert Alarm(kind="node", name=node.id, due_s=NOW.mono_s + 6.0) in early.alarms
    assert [Probe(node=node.id)] == of_kind(late, Probe)


@pytest.mark.parametrize("way", ["inject", "ignore"])
def test_a_key_that_the_configuration_ignores_by_now_is_not_asked_for(way: str) -> None:
    """Looks at machines that were made before follow the configuration as it is."""
    made = world()
    node = add_node(made, 1)
    making = made.policy.making[node.key]
    changed = making.model_copy(update={"host_keys": way})
    policy = replace(made.policy, making={**made.policy.making, node.key: changed})

    there = probe_target(node, policy)

    assert there is not None
    assert bool(there.host_keys) is (way == "inject")


def mixed() -> tuple[World, str]:
    """Return a world with a claimed request whose machines have to boot one build: 2 is current."""
    made = imaged()
    store_build(made, 2)
    view = add_request(made, 1, "small", "large", state=RequestState.PENDING)
    add_claim(made, view)
    return made, view.id


def test_a_request_goes_on_with_the_build_of_the_machines_that_were_made_for_it() -> None:
    """What it was given beside them may boot anything."""
    made, request = mixed()
    add_node(made, 1, allocated_to=request, launch=booted(2))
    shared = builds(made)
    view = next(made.queue.in_order())
    own_node(made, 2, view, booted(2))

    assert shared == ["noble/1", "noble/1"]
    assert builds(made) == ["noble/2"]


def test_a_machine_whose_request_is_over_is_not_given_up_for_the_build_that_it_boots() -> None:
    """It was made for one request with another build than the rest; now anybody may have it."""
    made = imaged()
    store_build(made, 2)
    view = add_request(made, 1, "small", "large", state=RequestState.PENDING)
    add_claim(made, view)
    own_node(made, 1, view, booted(2))
    odd = own_node(made, 2, view, booted(1))
    left_out = condemned(made)
    view.request = replace(view.request, state=RequestState.FAILED)
    made.touch_request(view)
    odd.node = replace(odd.node, allocated_to=None) if odd.node else None
    made.touch_node(odd)

    assert left_out == {odd.id: f"{view.id} is served from build noble/2"}
    assert condemned(made) == {}
    assert of_kind(think(made), Free) == []
