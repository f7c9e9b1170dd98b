"""Images of ours: what a launch boots, one build for each request, and what is revoked goes."""

from dataclasses import replace

import pytest

from launcher.claim.actions import Claim
from launcher.image.outdated import unbootable
from launcher.node import writes as node_writes
from launcher.node.actions import Condemn
from launcher.node.steps import ready_node
from launcher.node.writes import NewNode
from launcher.provider.cloud import Recipe
from launcher.provider.presence import Registry, tree
from launcher.provider.status import our_status
from launcher.request.actions import Allocate, Decline, Release
from launcher.server.actions import CreateServer
from launcher.server.specs import ServerSpecs
from remuda.cloud.api import Image, Server, ServerStatus
from remuda.images.references import upload_of
from remuda.membership.registration import Member, Registration
from remuda.model import tags
from remuda.model.component import decode_pool
from remuda.model.image import BuildId, UploadId
from remuda.model.imageask import ImageAsk, ImageUse, image_label
from remuda.model.launch import Launch, Step
from remuda.model.node import NodeState
from remuda.model.pointer import Pointer, encode_pointer
from remuda.model.request import RequestState
from remuda.model.status import IMAGE_NUMBER
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Check, Put, Stored
from tests.fakes.cloud import SMALL
from tests.fakes.store import FakeZookeeper
from tests.unit.launcher.imaged import (
    PLACE,
    WORD,
    asking,
    booted,
    builds,
    condemned,
    imaged,
    own,
    point,
    store_build,
)
from tests.unit.launcher.works import quiet_fold
from tests.unit.launcher.worlds import (
    ME,
    NOW,
    add_claim,
    add_node,
    add_request,
    know,
    of_kind,
    think,
)


def test_a_launch_boots_what_the_pointer_names() -> None:
    """The newest, once it has moved."""
    made = imaged()
    add_request(made, 1)

    assert builds(made) == ["noble/1"]
    store_build(made, 2)
    point(made, 2, previous=1)
    assert builds(made) == ["noble/2"]


def test_without_a_usable_build_requests_wait_and_hear_why() -> None:
    """They are not declined: there will be one."""
    made = imaged()
    view = add_request(made, 1, seen_s=NOW.mono_s - 10.0)
    made.images.pointers.clear()
    plan = think(made)

    assert of_kind(plan, Claim, Decline) == []
    assert plan.verdicts[view.id].reason == "image noble has no usable build here yet"
    assert plan.verdicts[view.id].numbers[IMAGE_NUMBER] == "noble"


def test_a_build_that_was_withdrawn_by_force_serves_nobody() -> None:
    """Its pointer still names it."""
    made = imaged()
    view = add_request(made, 1, seen_s=NOW.mono_s - 10.0)
    point(made, 1, withdrawn={1: WORD})
    plan = think(made)

    assert of_kind(plan, Claim) == []
    assert "revoked, by eve: it is bad" in plan.verdicts[view.id].reason


def test_an_intent_proves_that_its_upload_is_booted_still() -> None:
    """By its version, in the same transaction; several nodes ask once."""
    made = imaged()
    store_build(made, 1, version=31)
    add_request(made, 1, "small", "small")
    (claim,) = of_kind(think(made), Claim)
    launches = [
        Launch(
            id=f"000000000{n}",
            pool="main",
            label="small",
            step=Step.PLANNED,
            owner="me",
            planned_s=0.0,
            asked_by_s=0.0,
            **booted(1),
        )
        for n, _ in enumerate(claim.intents)
    ]
    new = [NewNode(launch=one, node=add_node(made, 5).node) for one in launches]
    ops = node_writes.grow(made, new, ledger_version=0)

    build_id = BuildId("noble", 1)
    assert [one for one in ops if isinstance(one, Check)] == [
        Check(path=paths.upload(UploadId(build_id, PLACE)), version=31),
        Check(path=paths.build(build_id), version=7),
    ]


def test_one_request_is_lent_machines_of_one_build() -> None:
    """The newest of which there are enough."""
    made = imaged()
    store_build(made, 2)
    nodes = [add_node(made, n, launch=booted(build)) for n, build in ((1, 1), (2, 2), (3, 2))]
    view = add_request(made, 1, "small", "small")

    (allocate,) = of_kind(think(made), Allocate)
    assert allocate.request == view.id
    assert set(allocate.nodes) == {nodes[1].id, nodes[2].id}


def test_what_does_not_fit_together_is_not_lent_but_others_are_made() -> None:
    """For it alone, of what is current; a request for one may have any."""
    made = imaged()
    store_build(made, 2)
    point(made, 2, previous=1)
    add_node(made, 1, launch=booted(1))
    add_node(made, 2, launch=booted(2))
    view = add_request(made, 1, "small", "small")
    plan = think(made)

    assert of_kind(plan, Allocate) == []
    (claim,) = of_kind(plan, Claim)
    assert [(one.for_request, str(one.upload.build)) for one in claim.intents] == [
        (view.id, "noble/2")
    ] * 2
    alone = add_request(made, 0, "small")
    assert [one.request for one in of_kind(think(made), Allocate)] == [alone.id]


def test_what_was_begun_with_a_build_goes_on_with_it() -> None:
    """Though another one is current by now."""
    made = imaged()
    store_build(made, 2)
    point(made, 2, previous=1)
    view = add_request(made, 1, "small", "small", state=RequestState.PENDING)
    add_claim(made, view)
    own(made, 1, view, booted(1))

    assert builds(made) == ["noble/1"]


def test_what_cannot_go_on_with_its_build_begins_anew() -> None:
    """The machines of the build that retires are of no use to it once others are begun."""
    made = imaged()
    store_build(made, 1, UploadState.RETIRING)
    store_build(made, 2)
    point(made, 2)
    view = add_request(made, 1, "small", "small", state=RequestState.PENDING)
    add_claim(made, view)
    old = own(made, 1, view, booted(1))

    assert builds(made) == ["noble/2"]
    assert condemned(made) == {}
    new = own(made, 2, view, booted(2))
    assert condemned(made) == {old.id: f"{view.id} is served from build noble/2"}
    made.drop_node(old.id)
    assert of_kind(think(made), Allocate) == []
    assert builds(made) == ["noble/2"]
    assert new.id not in condemned(made)


def test_machines_of_a_revoked_build_that_nobody_has_yet_go() -> None:
    """Ready or coming, promised or not; those in use, or handed out, stay."""
    made = imaged()
    waiting = add_request(made, 1, "small", "small", state=RequestState.PENDING)
    served = add_request(made, 2, state=RequestState.FULFILLED)
    add_claim(made, waiting)
    free = add_node(made, 1, launch=booted(1))
    coming = add_node(made, 2, step=Step.BOOTING, launch=booted(1))
    promised = own(made, 3, waiting, booted(1))
    add_node(made, 4, allocated_to=served.id, launch=booted(1))
    know(add_node(made, 5, state=NodeState.IN_USE, launch=booted(1)), contenders={"lock"})
    store_build(made, 2)
    point(made, 2)

    assert condemned(made) == {}
    store_build(made, 1, revoked=True)
    found = condemned(made)
    assert set(found) == {free.id, coming.id, promised.id}
    assert set(found.values()) == {"build noble/1 was revoked by eve: it is bad"}
    assert all(one.result is None for one in of_kind(think(made), Condemn))


def test_the_mirror_has_its_machines_judged_again() -> None:
    """At once, not at the next resync: a revocation takes effect within a second."""
    made = imaged()
    view = add_node(made, 1, launch=booted(1))
    other = add_node(made, 2, launch={"image_build": "other/1", "image_place": PLACE})
    made.take_agenda()

    fold = quiet_fold(made)
    path = paths.pointer("noble", "here")
    data = encode_pointer(
        Pointer(
            image="noble",
            provider="here",
            place=PLACE,
            current=2,
            withdrawn={1: WORD},
        )
    )
    fold.fold(Put(path=path, stored=Stored(path=path, value=data, version=8)), now_s=NOW.mono_s)

    assert made.agenda.supply
    assert view.id in made.agenda.nodes
    assert other.id not in made.agenda.nodes
    assert condemned(made, everything=False).keys() == {view.id}


def test_what_is_planned_is_looked_at_last_thing_before_the_call() -> None:
    """It is not asked for, and another one is made; its request is not charged."""
    made = imaged()
    made.fresh.add("0000000001")
    view = add_node(made, 1, step=Step.PLANNED, server=None, launch=booted(1))
    launch = view.launch
    assert launch is not None

    assert of_kind(think(made), CreateServer) != []
    assert unbootable(made, launch) is None
    store_build(made, 1, UploadState.RETIRING)
    assert of_kind(think(made), CreateServer) == []
    assert condemned(made) == {view.id: "build noble/1 is retiring here"}
    assert unbootable(made, launch) == "build noble/1 is retiring here"


@pytest.mark.parametrize("state", [UploadState.STORED, UploadState.VALIDATING, UploadState.USABLE])
def test_a_candidate_boots_what_nobody_else_may(state: UploadState) -> None:
    """Only for the request that is to prove it."""
    made = imaged()
    upload_id = store_build(made, 2, state)
    asking(made, ImageUse.PROVE, upload_id)

    assert builds(made) == ["noble/2"]


def test_what_a_builder_cannot_have_is_declined_or_waited_for() -> None:
    """A rejected build never boots again; one that is not on record may come."""
    made = imaged()
    rejected = store_build(made, 2, UploadState.REJECTED)
    view = asking(made, ImageUse.PROVE, rejected, seen_s=NOW.mono_s - 10.0)

    assert [one.request for one in of_kind(think(made), Decline)] == [view.id]
    made.queue.forget(view.id)
    unknown = UploadId(BuildId("noble", 3), PLACE)
    view = asking(made, ImageUse.PROVE, unknown, seen_s=NOW.mono_s - 10.0)
    plan = think(made)
    assert of_kind(plan, Claim, Decline) == []
    assert plan.verdicts[view.id].reason == "build noble/3 is not on record here"


def test_a_candidate_is_of_its_own_image_and_asked_for_under_its_own_label() -> None:
    """Who may write requests gets no unproven build under a label of users."""
    made = imaged()
    candidate = store_build(made, 2, UploadState.STORED)
    add_request(made, 1, "small", reuse=False, image=ImageAsk(use=ImageUse.PROVE, upload=candidate))
    assert builds(made) == ["noble/1"]

    made = imaged()
    other = UploadId(BuildId("other", 1), PLACE)
    asking(made, ImageUse.PROVE, other)
    assert of_kind(think(made), Claim) == []
    assert len(of_kind(think(made), Decline)) == 1


def test_a_candidate_has_one_launch() -> None:
    """Each is a try of its own; what builds is launched as often as others are."""
    made = imaged()
    upload_id = store_build(made, 2, UploadState.STORED)
    view = asking(made, ImageUse.PROVE, upload_id, state=RequestState.PENDING)
    add_claim(made, view)
    made.queue.charges.begin(view.id, 0.0)
    label = view.request.labels[0]
    made.queue.charges.add(view.id, "0000000099", "lost", label=label, made_s=NOW.wall_s)

    assert [one.request for one in of_kind(think(made), Decline)] == [view.id]


@pytest.mark.parametrize("step", [Step.PLANNED, Step.BOOTING])
def test_a_machine_for_a_builder_gives_way_to_users(step: Step) -> None:
    """It is in line again then, behind everybody else's; nobody asks the cloud for it first."""
    made = imaged(pools={"main": {"max-servers": 1}})
    theirs = asking(made, ImageUse.MAKE, state=RequestState.PENDING)
    add_claim(made, theirs)
    label = image_label("noble", ImageUse.MAKE)
    machine = add_node(made, 1, step=step, allocated_to=theirs.id)
    machine.launch = replace(machine.launch, label=label, for_request=theirs.id)
    made.touch_node(machine)
    assert of_kind(think(made), Condemn) == []

    view = add_request(made, 1)
    plan = think(made)
    given_up = Condemn(node=machine.id, cause=f"{view.id} needs the room")
    assert of_kind(plan, Condemn, CreateServer) == [given_up]
    assert [one.request for one in of_kind(plan, Release)] == [theirs.id]


def test_nobody_makes_room_for_a_builder() -> None:
    """The ready machine stays."""
    made = imaged(pools={"main": {"max-servers": 1}})
    add_node(made, 1, launch=booted(1))
    asking(made, ImageUse.MAKE)

    assert of_kind(think(made), Condemn, Claim) == []


def test_upload_of_reads_both_fields_or_none() -> None:
    """A launch that names half of one boots no image of ours, as far as we know."""
    made = imaged()
    view = add_node(made, 1, launch=booted(1))
    assert view.launch is not None

    assert upload_of(view.launch) == UploadId(BuildId("noble", 1), PLACE)
    assert upload_of(replace(view.launch, image_place=None)) is None


def test_users_and_the_cloud_see_which_build_a_machine_boots() -> None:
    """Where other programs look for the image's id, and in the server's tags."""
    made = imaged()
    view = add_node(made, 1, launch=booted(1))
    view.server.shown = Server(
        id="server-1", name="np1", status=ServerStatus.ACTIVE, image_id="image-1"
    )
    orders = ServerSpecs(policy=made.policy, owner=tags.Owner(installation="us", provider="here"))
    recipe = Recipe(image=Image(id="image-1", name="noble/1"), flavor=SMALL)
    assert view.launch is not None

    order = orders.server(view.launch, recipe, None)
    found = tags.read(order.tags)
    assert found is not None
    assert (found.build, order.image.id, order.tags["groups"]) == (
        "noble/1",
        "image-1",
        "here,noble,small",
    )
    assert ready_node(view, made.policy).doc["image_id"] == "noble/1"


def test_a_machine_for_a_builder_has_its_keys_and_no_key_pair() -> None:
    """What a cloud's key pair leaves in it, nobody would know to look for."""
    made = imaged(pools={"main": {"max-servers": 1, "key-name": "pair"}})
    view = add_node(made, 1, launch=booted(1))
    orders = ServerSpecs(policy=made.policy, owner=tags.Owner(installation="us", provider="here"))
    recipe = Recipe(image=Image(id="image-1", name="noble/1"), flavor=SMALL)
    assert view.launch is not None
    label = image_label("noble", ImageUse.MAKE)
    theirs = replace(view.launch, label=label, login_key="ssh-ed25519 AAAA")

    assert orders.server(view.launch, recipe, None).key_name == "pair"
    order = orders.server(theirs, recipe, None)
    assert order.key_name is None
    assert "ssh-ed25519 AAAA" in (order.user_data or "")


def test_labels_for_builders_are_announced_to_nobody() -> None:
    """Neither in what a pool offers, nor in the status."""
    made = imaged()
    hidden = {image_label("noble", use) for use in ImageUse}

    assert hidden <= made.policy.pools["main"].labels
    assert our_status(made, NOW).labels.keys() == {"small", "large"}
    zookeeper = FakeZookeeper()
    store = zookeeper.connect()
    store.ensure(*tree("here"))
    presence = Registry(member=Member(id=ME, started_s=0.0)).presence(made.policy)
    Registration(store=store, registered=lambda _error: None).register(presence)
    zookeeper.deliver()
    (name,) = store.children(paths.POOL_COMPONENTS)
    found = store.read(f"{paths.POOL_COMPONENTS}/{name}")
    assert found is not None
    assert decode_pool("pool", found.value).labels == ("large", "small")
