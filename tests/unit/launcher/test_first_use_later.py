"""Machines that run the recipe of an image themselves: how they go on, and what is told of them."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.actions import Alarm, Plan
from launcher.image import actions, first_use, using
from launcher.image import writes as image_writes
from launcher.image.actions import NoteUse
from launcher.image.outdated import unused
from launcher.node.actions import Adopt, Condemn, MakeReady, Prove
from launcher.node.deadlines import launch_ends_s
from launcher.node.events import Proved
from launcher.node.overdue import late_launch
from launcher.node.steps import ready_node
from launcher.policy import compile_policy
from launcher.request.actions import Allocate
from launcher.server.specs import ServerSpecs
from launcher.world import Agenda, World
from remuda.config.model import Config
from remuda.frame.work import Written
from remuda.model.build import BuildState
from remuda.model.ids import RequestId
from remuda.model.lastuse import LastUse, decode_last_use, encode_last_use
from remuda.model.launch import Step
from remuda.model.status import Ruling
from remuda.model.upload import UploadState
from remuda.ssh.api import Proof, ProofStep, StepTaken
from remuda.steps.room import CLOUD_INIT_S_MAX
from remuda.store import paths
from remuda.store.api import Create, Set, StaleWriteError
from tests.fakes.cloud import DEBIAN
from tests.unit.launcher.firstuse import (
    KEY,
    RUNNING,
    TTL_S,
    configured,
    current,
    first,
    plainly,
    put_build,
)
from tests.unit.launcher.imaged import PLACE, put, store_build
from tests.unit.launcher.works import OWNER, Works
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
    assert f",{DEBIAN.name}," in specs.server_tags(node.launch, DEBIAN)["groups"]
    other = add_node(made, 2, step=Step.PROVING)
    assert other.launch is not None
    assert specs.proof(other.launch, "198.18.0.1").recipe is None
    know(node, shown=RUNNING)
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
    node = plainly(made, 1, step=Step.PROVING, owner="dead")
    know(node, shown=RUNNING)
    current(made)
    assert of_kind(think(made), Adopt)
    assert node.launch is not None
    node.launch = replace(node.launch, owner=ME)
    made.touch_node(node)
    assert of_kind(think(made), Prove)
    assert not of_kind(think(made), Condemn)


@pytest.mark.parametrize("spoiled", [False, True])
def test_a_machine_on_which_the_steps_were_begun_before_is_nobodys_fault(*, spoiled: bool) -> None:
    """Its launcher died; a step that failed is blamed on the machine, as setup scripts are."""
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
    put_build(made, 5, state=BuildState.BUILDING, group=("there",))
    assert think(made).verdicts[view.id].numbers["beside"] == "noble/4"
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


def test_a_use_is_written_when_a_request_is_claimed_and_seldom() -> None:
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


def test_a_request_that_is_served_at_once_is_a_use() -> None:
    """It is never claimed; what is handed out is started before the rest is thought of."""
    made = first(labels={"small": {"min-ready": 1, "recheck": None}})
    current(made)
    add_node(made, 1, launch={"image_build": "noble/1", "image_place": PLACE})
    view = add_request(made, 1)
    works = Works(made)
    clock = works.clock
    brain = works.brain(works.starter, clock)

    handed_out = brain.turn(wait_s_max=0.0)
    (allocate,) = of_kind(handed_out, Allocate)
    assert allocate.request == view.id
    assert of_kind(handed_out, NoteUse) == []
    made.queue.forget(view.id)  # its user was quick; the mirror tells before the answer
    works.hear(Written(action=allocate, result=(), answered_s=NOW.mono_s), NOW)
    clock.advance(brain.loop.wait_s())
    (note,) = of_kind(brain.turn(wait_s_max=0.0), NoteUse)
    assert note == NoteUse(image="noble", at_s=NOW.wall_s)


def test_what_was_not_handed_out_after_all_is_no_use() -> None:
    """Somebody else was quicker, say: who gets it writes that."""
    made = first()
    current(made)
    node = add_node(made, 1, launch={"image_build": "noble/1", "image_place": PLACE})
    works, view = Works(made), add_request(made, 1)
    (allocate,) = of_kind(think(made), Allocate)
    assert allocate.nodes == (node.id,)
    works.starter.start(allocate, NOW)
    lost = StaleWriteError(paths.node(node.id), "somebody else wrote")
    works.hear(Written(action=allocate, result=lost), NOW)
    assert not made.allocating
    assert made.images.unnoted == {}
    assert view.waiting


def test_a_turn_that_concerns_no_claim_looks_at_none() -> None:
    """Each has itself looked at again when its use is to be written anew."""
    made = first()
    view = add_request(made, 1)
    add_claim(made, view)
    idle = _noting(made)
    assert (idle.actions, idle.alarms) == ([], [])

    plan = _noting(made, view.id)
    assert [one.image for one in of_kind(plan, NoteUse)] == ["noble"]
    again_s = NOW.mono_s + using.NOTE_AGAIN_S  # should the write fail
    assert plan.alarms == [Alarm(kind="request", name=view.id, due_s=again_s)]

    use(made, 100.0)
    plan = _noting(made, view.id)
    assert plan.actions == []
    again_s = NOW.mono_s + using.USE_PERIOD_S - 100.0
    assert plan.alarms == [Alarm(kind="request", name=view.id, due_s=again_s)]


def _noting(made: World, *requests: RequestId) -> Plan:
    """Return what is to be noted when these requests are on the agenda."""
    plan = Plan()
    using.note_uses(made, Agenda(everything=False, requests=set(requests)), NOW, plan)
    return plan


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


def test_a_use_that_could_not_be_written_is_written_later_though_its_request_is_served() -> None:
    """As it was then; until somebody has written one, or it does not count any more."""
    made = first()
    add_request(made, 1)
    (action,) = of_kind(think(made), NoteUse)
    Works(made).starter.start(action, NOW)
    assert made.images.unnoted == {"noble": NOW.wall_s}
    made.queue.views.clear()
    later = replace(NOW, wall_s=NOW.wall_s + 60.0, mono_s=NOW.mono_s + 60.0)
    made.busy.give_up(actions.using("noble"))
    assert of_kind(think(made, later), NoteUse) == [action]
    old = replace(NOW, wall_s=NOW.wall_s + TTL_S, mono_s=NOW.mono_s + TTL_S)
    assert of_kind(think(made, old), NoteUse) == []
    use(made, 0.0)
    assert made.images.unnoted == {}
    assert of_kind(think(made, later), NoteUse) == []


def test_it_is_written_over_what_is_known_or_made() -> None:
    """Also over what cannot be read, at its version."""
    made = first()
    action = NoteUse(image="noble", at_s=5.0)
    (op,) = image_writes.note_use(made, action)
    assert isinstance(op, Create)
    last = decode_last_use("noble", op.data)
    assert (last.at_s, last.provider, last.ttl_s) == (5.0, "here", TTL_S)
    with pytest.raises(Exception, match="last use of noble"):
        put(made, paths.last_use("noble"), b"{", 9)
    (op,) = image_writes.note_use(made, action)
    assert isinstance(op, Set)
    assert op.version == 9
    assert using._is_news(made, "noble", NOW)


def test_images_that_are_built_ahead_are_not_noted() -> None:
    """Nobody asks; nor where another image is made on first use."""
    beside = first()
    both = dict(beside.policy.built) | {("main", "large"): "jammy"}
    beside.policy = replace(beside.policy, built=both)
    add_claim(beside, add_request(beside, 1, "large"))
    assert noted(beside) == []
    made = world()
    add_request(made, 1)
    assert noted(made) == []
    assert first_use.image_of(made, KEY) is None
