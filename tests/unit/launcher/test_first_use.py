"""Images made on first use: machines run the recipe where no build of it is there, and say so."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from launcher.claim.actions import Claim
from launcher.image import first_use, using
from launcher.image import writes as image_writes
from launcher.image.actions import NoteUse
from launcher.image.binding import Bound, bind, choose, for_anybody
from launcher.image.outdated import unused
from launcher.node.actions import Condemn, Grow, Intent, MakeReady, Prove
from launcher.node.birth import born
from launcher.node.budget import Budget
from launcher.node.deadlines import launch_ends_s
from launcher.node.events import Proved
from launcher.node.overdue import late_launch
from launcher.node.shortage import Shortage
from launcher.node.steps import ready_node
from launcher.policy import Policy, compile_policy, plain
from launcher.provider.cloud import Recipe
from launcher.provider.learning import learn_refusal, learn_success
from launcher.request.view import MayGet
from launcher.server.specs import ServerSpecs
from launcher.world import World
from remuda.cloud.api import BadOrderError, Server, ServerStatus
from remuda.config.model import Config
from remuda.config.sources import UnreadableError
from remuda.images.references import upload_of
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.ids import NodeId, ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.lastuse import LastUse, decode_last_use, encode_last_use
from remuda.model.launch import Step, decode, encode
from remuda.model.pointer import Pin
from remuda.model.status import Ruling
from remuda.model.upload import UploadState
from remuda.ssh.api import Proof, ProofStep, StepTaken
from remuda.steps.room import CLOUD_INIT_S_MAX
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.fakes.cloud import DEBIAN, SMALL
from tests.unit.launcher.imaged import PLACE, WORD, point, put, store_build
from tests.unit.launcher.works import OWNER
from tests.unit.launcher.worlds import (
    ME,
    NOW,
    add_claim,
    add_node,
    add_request,
    document,
    know,
    of_kind,
    think,
    world,
)

KEY: Final = ("main", "small")
STEPS: Final = [{"command": "true", "timeout": 100, "retries": 1}]
TTL_S: Final = 7200.0


def configured(*, steps: Any = STEPS, base: Any = None, **changes: Any) -> Policy:
    """Return the policy of a provider whose small machines boot an image made on first use."""
    doc = document(**changes)
    for pool in doc["providers"]["here"]["pools"].values():
        pool["labels"] = {"small": {**pool["labels"]["small"], "image": {"built": "noble"}}}
    doc["providers"]["here"]["ssh-key-file"] = "/nowhere/key"
    base = base or {"name": "debian-12"}
    recipe = {"base": base, "flavor": SMALL.name, "steps": steps, "build": "on-demand"}
    parent = {"base": {"name": "debian-12"}, "flavor": SMALL.name}
    doc["images"] = {"noble": {**recipe, "ttl": TTL_S}, "jammy": parent}
    return compile_policy(Config.model_validate(doc), "here")


def first(**changes: Any) -> World:
    """Return a world with that policy, in which nothing of the image is there."""
    made = world(**{key: one for key, one in changes.items() if key in ("labels", "pools")})
    made.adopt_policy(configured(**changes))
    made.cloud.recipes.clear()
    for key in (*made.policy.making, *made.policy.plain):
        made.cloud.recipes[key] = Recipe(image=DEBIAN, flavor=SMALL)
    return made


def current(made: World, number: int = 1, **fields: Any) -> UploadId:
    """Let a build of this very recipe be current."""
    upload_id = store_build(made, number)
    put_build(made, number, **fields)
    point(made, number)
    return upload_id


def put_build(made: World, number: int, **fields: Any) -> None:
    """Put a build on record, of this recipe unless told otherwise."""
    build = Build(
        **{
            "id": BuildId("noble", number),
            "state": BuildState.BUILT,
            "why": Why.FIRST_USE,
            "requested_s": 1.0,
            "since_s": 1.0,
            "fingerprint": print_of(made),
            **fields,
        }
    )
    put(made, paths.build(build.id), encode_build(build))


def print_of(made: World) -> str:
    """Return the fingerprint of the recipe of now."""
    return made.policy.on_demand["noble"].fingerprint


def intents(made: World, **how: Any) -> list[Intent]:
    """Return what a plan has made."""
    return [one for action in of_kind(think(made, **how), Claim, Grow) for one in action.intents]


def plainly(made: World, number: int, **fields: Any) -> Any:
    """Add a machine that runs the recipe itself."""
    launch = {"first_use": print_of(made), **fields.pop("launch", {})}
    return add_node(made, number, launch=launch, **fields)


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
    current(made)
    assert [one.first_use for one in intents(made)] == [print_of(made)]
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
    _stock(made, "jammy", 3)
    (intent,) = intents(made)
    assert (intent.upload, intent.first_use) == (parent, print_of(made))
    bound = bind(made, NOW, KEY, None)
    assert bound == Bound(parent, first_use=print_of(made))
    assert for_anybody(made, NOW, KEY, bound, 1) == bound
    node = plainly(made, 1, launch={"image_build": "jammy/3", "image_place": PLACE})
    assert node.launch is not None
    assert upload_of(node.launch) == parent
    assert not think(made).counts


def _stock(made: World, image: str, number: int) -> None:
    before = made.images
    other = first().images
    made.images = other
    store_build(made, number)
    point(made, number)
    for path, kind in (
        (paths.build(BuildId(image, number)), encode_build(replace(
            made.images.builds[BuildId("noble", number)].value, id=BuildId(image, number)
        ))),
    ):
        made.images = before
        put(made, path, kind)
    from remuda.model.pointer import Pointer, encode_pointer
    from remuda.model.upload import Upload, encode_upload

    upload_id = UploadId(BuildId(image, number), PLACE)
    upload = Upload(id=upload_id, state=UploadState.USABLE, since_s=1.0, cloud_image="image-j")
    put(made, paths.upload(upload_id), encode_upload(upload))
    pointer = Pointer(image=image, provider="here", place=PLACE, current=number)
    put(made, paths.pointer(image, "here"), encode_pointer(pointer))


def test_a_recipe_that_cannot_be_read_here_makes_its_requests_wait() -> None:
    """They hear why; a launcher without the files would make something else."""

    def read(_path: Path) -> tuple[()]:
        raise UnreadableError("does not exist")

    made = first()
    copying = [{"copy": {"from": "/nowhere/x", "to": "/x"}, "timeout": 5}]
    doc = Config.model_validate(_doc(copying))
    made.adopt_policy(compile_policy(doc, "here", read))
    view = add_request(made, 1, seen_s=NOW.mono_s - 10.0)
    plan = think(made)
    assert not of_kind(plan, Claim)
    assert "'/nowhere/x', which it copies, does not exist" in plan.verdicts[view.id].reason
    assert isinstance(bind(made, NOW, KEY, view), Shortage)


def _doc(steps: Any) -> dict[str, Any]:
    doc = document()
    doc["providers"]["here"]["pools"]["main"]["labels"]["small"]["image"] = {"built": "noble"}
    recipe = {"base": {"name": "debian-12"}, "flavor": SMALL.name, "steps": steps}
    doc["images"] = {"noble": {**recipe, "build": "on-demand", "ttl": TTL_S}}
    return doc


def test_what_is_kept_ready_runs_no_recipe() -> None:
    """Nobody waits for it; once a build is there, it is kept ready as usual."""
    made = first(labels={"small": {"min-ready": 2, "recheck": None}})
    assert intents(made) == []
    current(made)
    assert len(intents(made)) == 2


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


# How it goes on.


def test_a_machine_that_runs_the_recipe_has_the_time_for_that() -> None:
    """Every retry, and the wait for cloud-init, besides the usual limit."""
    made = first()
    node, other = plainly(made, 1, step=Step.PROVING), add_node(made, 2, step=Step.PROVING)
    assert node.launch is not None
    assert other.launch is not None
    more_s = launch_ends_s(made, node, node.launch, NOW) - launch_ends_s(
        made, other, other.launch, NOW
    )
    assert more_s > CLOUD_INIT_S_MAX + 200.0
    limit_s = made.policy.config.launch_timeout + more_s
    assert late_launch(made, node.launch).cause.endswith(f"not ready after {limit_s:g} s")


def test_it_is_told_its_steps_and_its_users_that_it_boots_no_build() -> None:
    """The same steps as builders take; the tags name what it really boots."""
    made = first()
    node = plainly(made, 1, step=Step.PROVING)
    assert node.launch is not None
    specs = ServerSpecs(policy=made.policy, owner=OWNER)
    order = specs.proof(node.launch, "198.18.0.1")
    assert order.recipe is not None
    assert order.recipe.names == ("wait for cloud-init", "command")
    assert specs.server_tags(node.launch, DEBIAN)["remuda_image"] == DEBIAN.name
    other = add_node(made, 2, step=Step.PROVING)
    assert other.launch is not None
    assert specs.proof(other.launch, "198.18.0.1").recipe is None
    shown = Server(id=ServerId("server-1"), name="n", status=ServerStatus.ACTIVE)
    know(node, shown=shown)
    assert ready_node(node, made.policy).doc["image_id"] == "noble/first-use"


def test_a_recipe_that_changes_ends_what_runs_it_without_blame() -> None:
    """The request gets another machine; what is proven by then is as good as it was meant."""
    made = first()
    node = plainly(made, 1, step=Step.PROVING)
    made.adopt_policy(configured(steps=[{"command": "false", "timeout": 5}]))
    (condemn,) = of_kind(think(made), Condemn)
    assert condemn.cause == "the recipe of noble has changed, or cannot be read"
    assert condemn.result is None
    know(node, proof=node.proof.tried(Proof(ok=True, host_keys=("k",))))
    assert not of_kind(think(made), Condemn)
    assert of_kind(think(made), MakeReady) or node.server.shown is None

    doc = Config.model_validate(document())
    know(node, proof=replace(node.proof, access="none"))
    made.adopt_policy(compile_policy(doc, "here"))
    (condemn,) = of_kind(think(made), Condemn)
    assert condemn.cause == "its image is not made on first use any more"


def test_a_replica_that_takes_it_over_goes_on_the_same_way() -> None:
    """By the record alone."""
    made = first()
    node = plainly(made, 1, step=Step.PROVING, owner=ME)
    know(node, shown=None)
    current(made)
    assert of_kind(think(made), Prove)
    assert not of_kind(think(made), Condemn)


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_machine_on_which_the_steps_were_begun_before_is_nobodys_fault(spoiled: bool) -> None:  # noqa: FBT001 - a parameter
    """Its launcher died; a step that failed is blamed on the machine, as setup scripts are."""
    from tests.unit.launcher.works import Works

    made = first()
    node = plainly(made, 1, step=Step.PROVING)
    step = StepTaken(step=ProofStep.STEP, name="x", seconds=1.0, ok=False, why="no")
    proof = Proof(ok=False, steps=(step,), spoiled=spoiled)
    Works(made).results.take(Proved(node=node.id, proof=proof), NOW)
    (condemn,) = of_kind(think(made), Condemn)
    assert (condemn.result is None) is spoiled
    assert condemn.cause == "x: no"


def test_what_is_kept_ready_of_an_image_that_goes_goes_with_it() -> None:
    """Else the image would stay for it, and it for the image."""
    made = first()
    current(made)
    node = add_node(made, 1, launch={"image_build": "noble/1", "image_place": PLACE})
    assert node.launch is not None
    assert unused(made, node, node.launch) is None
    store_build(made, 1, UploadState.RETIRING)
    (condemn,) = of_kind(think(made), Condemn)
    assert condemn.cause == "build noble/1, made on first use, goes"
    held = plainly(made, 2)
    assert held.launch is not None
    assert unused(made, held, held.launch) is None


# Who is told.


def test_a_request_is_told_what_is_made_and_what_is_made_beside_it() -> None:
    """The build is named once it is begun; nothing is said of how long it usually takes."""
    made = first()
    made.cloud.boot_s[KEY] = 30.0
    view = add_request(made, 1)
    add_claim(made, view)
    plainly(made, 1, step=Step.PROVING)
    verdict = think(made).verdicts[view.id]
    assert verdict.ruling is Ruling.SERVING
    assert verdict.reason == (
        "0 of 1 nodes are ready; noble is made on first use: its machine runs the recipe itself; "
        "no build of it is being made yet"
    )
    put_build(made, 4, state=BuildState.BUILDING)
    verdict = think(made).verdicts[view.id]
    assert verdict.reason.endswith("build noble/4 is being made beside it")
    assert verdict.numbers["beside"] == "noble/4"
    current(made, 4)
    assert "first use" not in think(made).verdicts[view.id].reason
    put_build(made, 4, fingerprint="x")
    assert first_use.beside(made, "noble") is None


# Noting the use.


def noted(made: World, **how: Any) -> list[str]:
    """Return the images of which a plan writes that they are used."""
    return [one.image for one in of_kind(think(made, **how), NoteUse)]


def use(made: World, ago_s: float, version: int = 3) -> None:
    """Let a last use be on record."""
    last = LastUse(image="noble", at_s=NOW.wall_s - ago_s)
    put(made, paths.last_use("noble"), encode_last_use(last), version)


def test_a_use_is_written_when_a_request_is_claimed_or_served_and_seldom() -> None:
    """What is kept ready is no use; a time of the future tells nothing."""
    made = first(labels={"small": {"min-ready": 1, "recheck": None}})
    current(made)
    assert noted(made) == []
    view = add_request(made, 1)
    assert noted(made) == ["noble"]  # it is claimed in this plan
    add_claim(made, view)
    assert noted(made) == ["noble"]
    use(made, using.USE_PERIOD_S - 1)
    assert noted(made) == []
    use(made, using.USE_PERIOD_S)
    assert noted(made) == ["noble"]
    use(made, -using.SKEW_S - 1)
    assert noted(made) == ["noble"]
    add_node(made, 1, launch={"image_build": "noble/1", "image_place": PLACE})
    assert noted(made) == ["noble"]  # it is handed out in this plan


def test_a_short_time_to_live_does_not_end_between_two_writes() -> None:
    """A quarter of it at most."""
    made = first()
    found = made.policy.on_demand["noble"]
    recipe = replace(found.recipe, ttl_s=100.0)
    short = {"noble": replace(found, recipe=recipe)}
    made.adopt_policy(replace(made.policy, on_demand=short))
    add_request(made, 1)
    use(made, 20.0)
    assert noted(made) == []
    use(made, 25.0)
    assert noted(made) == ["noble"]


def test_a_write_that_did_not_happen_is_tried_again_after_a_while() -> None:
    """No builder has put the image on record, say."""
    made = first()
    add_request(made, 1)
    made.images.noted_s["noble"] = NOW.mono_s - using.NOTE_AGAIN_S + 1.0
    assert noted(made) == []
    made.images.noted_s["noble"] -= 1.0
    assert noted(made) == ["noble"]


def test_it_is_written_over_what_is_known_or_made() -> None:
    """Also over what cannot be read, at its version."""
    made = first()
    action = NoteUse(image="noble")
    (op,) = image_writes.note_use(made, action, now_s=5.0)
    assert isinstance(op, Create)
    last = decode_last_use("noble", op.data)
    assert (last.at_s, last.provider, last.ttl_s) == (5.0, "here", TTL_S)
    with pytest.raises(Exception, match="last use of noble"):
        put(made, paths.last_use("noble"), b"{", 9)
    (op,) = image_writes.note_use(made, action, now_s=5.0)
    assert isinstance(op, Set)
    assert op.version == 9
    assert using._is_news(made, "noble", NOW)


def test_images_that_are_built_ahead_are_not_noted() -> None:
    """Nobody asks."""
    made = world()
    add_request(made, 1)
    assert noted(made) == []
    assert first_use.image_of(made, KEY) is None
