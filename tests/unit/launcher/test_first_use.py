"""Images made on first use: machines run the recipe where no build of it is there."""

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.claim.actions import Claim
from launcher.image import first_use
from launcher.image.binding import Bound, bind, choose, for_anybody
from launcher.image.index import Images, NoneServed
from launcher.node.actions import Grow
from launcher.node.birth import born
from launcher.node.budget import Budget
from launcher.node.shortage import Shortage
from launcher.policy import compile_policy, plain
from launcher.provider.cloud import Recipe, Refused
from launcher.provider.learning import learn_refusal, learn_success
from launcher.provider.status import our_status
from launcher.request.view import MayGet
from remuda.cloud.api import BadOrderError
from remuda.config.model import Config
from remuda.config.sources import UnreadableError
from remuda.images.references import upload_of
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId
from remuda.model.launch import Step, decode, encode
from remuda.model.pointer import Pin
from remuda.model.status import decode_status, encode_status
from tests.fakes.cloud import DEBIAN, LARGE, SMALL
from tests.unit.launcher.firstuse import (
    KEY,
    current,
    first,
    intents,
    plainly,
    print_of,
    put_build,
    stock,
    with_steps,
)
from tests.unit.launcher.imaged import PLACE, WORD, point
from tests.unit.launcher.worlds import (
    ME,
    NOW,
    add_claim,
    add_node,
    add_provider,
    add_request,
    doom,
    of_kind,
    think,
    world,
)

# What is made.


def test_without_a_build_a_machine_runs_the_recipe_itself() -> None:
    """Served slowly, but surely; the record says how."""
    made = first()
    add_request(made, 1)
    (intent,) = intents(made)
    assert (intent.upload, intent.first_use) == (None, print_of(made))
    new = born(
        made.policy,
        intent,
        node_id=NodeId("0000000001"),
        owner=ME,
        host_key=None,
        launcher=None,
        now=NOW,
    )
    assert decode(new.launch.id, encode(new.launch)) == new.launch
    assert new.launch.first_use == print_of(made)


def test_once_a_build_of_the_recipe_is_current_it_is_booted() -> None:
    """And no other one: of another recipe, or one that is only being made."""
    made = first()
    add_request(made, 1)
    upload_id = current(made)
    assert [(one.upload, one.first_use) for one in intents(made)] == [(upload_id, None)]

    put_build(made, 1, fingerprint="another")
    assert [one.upload for one in intents(made)] == [None]
    assert first_use.looked_up(made, NOW, KEY) == plain(KEY)

    made.images.builds.clear()
    assert [one.first_use for one in intents(made)] == [print_of(made)]


def test_a_pin_is_obeyed_whatever_its_recipe() -> None:
    """It is somebody's word; when it is over, it does not count."""
    made = first()
    add_request(made, 1)
    current(made, fingerprint="another")
    point(made, 1, pinned=Pin(number=1, word=WORD, until_s=NOW.wall_s + 5.0))
    assert [str(one.upload.build) for one in intents(made) if one.upload] == ["noble/1"]
    point(made, 1, pinned=Pin(number=1, word=WORD, until_s=NOW.wall_s - 5.0))
    assert [one.first_use for one in intents(made)] == [print_of(made)]


def test_all_machines_of_a_request_are_made_alike() -> None:
    """Those that follow run the recipe, though a build is there by now; others boot that."""
    made = first()
    view = add_request(made, 1, "small", "small")
    assert view.may_get is MayGet.MATCHING
    add_claim(made, view)
    plainly(
        made,
        1,
        step=Step.PROVING,
        allocated_to=view.id,
        launch={"for_request": view.id},
    )
    dying = plainly(made, 2, allocated_to=view.id, launch={"for_request": view.id})
    doom(made, dying)
    current(made)
    assert [one.first_use for one in intents(made)] == [print_of(made)]
    doom(made, made.nodes.views[NodeId("0000000001")])
    assert {one.first_use for one in intents(made)} == {None}
    bound = bind(made, NOW, KEY, add_request(made, 2, "small", "small"))
    assert isinstance(bound, Bound)
    assert bound.upload is not None


def test_machines_of_both_kinds_are_not_handed_out_together() -> None:
    """One that ran the recipe is of no build."""
    made = first()
    current(made)
    plainly(made, 1)
    add_node(made, 2, launch={"image_build": "noble/1", "image_place": PLACE})
    both = {"small": [NodeId("0000000001"), NodeId("0000000002")]}
    assert choose(made, ("small", "small"), both) is None
    assert choose(made, ("small",), both) == (NodeId("0000000002"),)


def test_a_recipe_that_starts_from_an_image_of_ours_boots_the_current_build_of_that() -> None:
    """And waits for one; what is counted of it says nothing of that image."""
    made = first(base={"image": "jammy"})
    view = add_request(made, 1, seen_s=NOW.mono_s - 10.0)
    assert intents(made) == []
    assert "image jammy has no usable build here yet" in think(made).verdicts[view.id].reason
    parent = UploadId(BuildId("jammy", 3), PLACE)
    stock(made, "jammy", 3)
    (intent,) = intents(made)
    assert (intent.upload, intent.first_use) == (parent, print_of(made))
    bound = bind(made, NOW, KEY, None)
    assert bound == Bound(parent, first_use=print_of(made))
    assert for_anybody(made, NOW, KEY, bound, 1) == bound
    node = plainly(made, 1, launch={"image_build": "jammy/3", "image_place": PLACE})
    assert node.launch is not None
    assert upload_of(node.launch) == parent
    assert not think(made).counts


def test_a_recipe_that_cannot_be_read_here_makes_its_requests_wait() -> None:
    """They hear why; a launcher without the files would make something else."""

    def read(_path: Path) -> tuple[()]:
        raise UnreadableError("does not exist")

    made = first()
    copying = [{"copy": {"from": "/nowhere/x", "to": "/x"}, "timeout": 5}]
    doc = Config.model_validate(with_steps(copying))
    made.adopt_policy(compile_policy(doc, "here", read))
    view = add_request(made, 1, seen_s=NOW.mono_s - 10.0)
    plan = think(made)
    assert not of_kind(plan, Claim)
    assert "'/nowhere/x', which it copies or reads, does not exist" in plan.verdicts[view.id].reason
    assert isinstance(bind(made, NOW, KEY, view), Shortage)


@pytest.mark.parametrize("kind", ["steps", "checks"])
def test_a_script_that_was_not_read_is_a_trouble_of_its_image_alone(kind: str) -> None:
    """The launcher serves everything else."""
    doc = with_steps([])
    doc["images"]["noble"][kind] = [{"script": {"file": "/nowhere/x"}, "timeout": 5}]
    compiled = compile_policy(Config.model_validate(doc), "here")
    assert compiled.on_demand["noble"].trouble == "the script /nowhere/x was never read"


def test_the_status_tells_what_is_wrong_with_what_machines_are_made_of_now() -> None:
    """Of the recipe's base while there is no build, of the image afterwards."""
    made = first()
    made.cloud.broken = {KEY: "no flavor for its build", plain(KEY): "no such base"}
    assert our_status(made, NOW).labels["small"].broken == "no such base"
    current(made)
    assert our_status(made, NOW).labels["small"].broken == "no flavor for its build"

    made = first()
    made.cloud.refusals[plain(KEY)] = Refused(why="base too large", at_s=1.0)
    told = our_status(made, NOW).labels["small"].broken
    assert told == "the cloud refused it: base too large"
    current(made)
    assert our_status(made, NOW).labels["small"].broken is None


def test_what_never_fits_is_told_by_what_machines_are_made_of_now() -> None:
    """A pool too small for the machine that runs the recipe is told of at once."""
    made = first(pools={"main": {"max-cores": SMALL.cores}})
    made.cloud.recipes[plain(KEY)] = Recipe(image=DEBIAN, flavor=LARGE)
    never = Budget.of(made, NOW).never("main", ("small",))
    assert never is not None
    assert never.final
    current(made)
    assert Budget.of(made, NOW).never("main", ("small",)) is None


def test_what_is_kept_ready_runs_no_recipe() -> None:
    """Nobody waits for it; once a build is there, it is kept ready as usual."""
    made = first(labels={"small": {"min-ready": 2, "recheck": None}})
    assert intents(made) == []
    current(made)
    assert len(intents(made)) == 2


def test_what_is_not_kept_here_is_kept_elsewhere() -> None:
    """Others learn by the status that nothing is kept, though requests would be served."""
    made = first(labels={"small": {"min-ready": 2, "recheck": None}})
    own = our_status(made, NOW)
    assert own.labels["small"].room > 0
    assert not decode_status("here", encode_status(own)).labels["small"].kept

    elsewhere = world(labels={"small": {"min-ready": 2}})
    add_provider(elsewhere, "there", small=replace(own.labels["small"], room=9))
    assert sum(len(one.intents) for one in of_kind(think(elsewhere), Grow)) == 2


def test_room_is_judged_by_what_is_booted_now() -> None:
    """What the recipe starts from may be missing, or be refused, though builds are not."""
    made = first()
    made.cloud.recipes.pop(plain(KEY))
    made.cloud.broken[plain(KEY)] = "no such image"
    short = Budget.of(made, NOW).shortage(KEY)
    assert short is not None
    assert short.reason == "small cannot be made: no such image"
    current(made)
    assert Budget.of(made, NOW).shortage(KEY) is None
    assert Budget.of(made, NOW).full_after(KEY, 1) is False


def test_what_a_label_is_made_of_is_asked_once_in_one_judgement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long queue asks for the room of the same few labels."""
    made, asked = first(), []
    served = Images.served

    def counted(images: Images, image: str, now_s: float) -> UploadId | NoneServed:
        asked.append(image)
        return served(images, image, now_s)

    monkeypatch.setattr(Images, "served", counted)
    budget = Budget.of(made, NOW)
    assert budget.shortage(KEY) is None
    assert budget.full_after(KEY, 1) is False
    assert budget.never(KEY[0], (KEY[1],)) is None
    assert asked == ["noble"]


def test_a_refused_order_is_looked_up_by_what_it_was_of() -> None:
    """Builds of the image are well."""
    made = first()
    node = plainly(made, 1, step=Step.PLANNED, server=None)
    learn_refusal(made, node, BadOrderError("no such image"), NOW)
    assert list(made.cloud.refusals) == list(made.cloud.doubted) == [plain(KEY)]


def test_how_long_the_recipe_takes_is_not_how_long_machines_take() -> None:
    """By that requests are given to providers."""
    made = first()
    learn_success(made, plainly(made, 1), NOW)
    assert made.cloud.boot_s == {}
    learn_success(made, add_node(made, 2), NOW)
    assert list(made.cloud.boot_s) == [KEY]
