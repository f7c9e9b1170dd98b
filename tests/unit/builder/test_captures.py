"""Builds of jobs' machines: which are begun, taken, given up, and why the others wait."""

from dataclasses import replace
from typing import Any, Final

import pytest

from builder.actions import Plan
from builder.alarm.actions import RaiseAlarm
from builder.build import outcome, writes
from builder.build.actions import BeginBuild, LoseBuild, Make, Supersede, TakeBuild
from builder.build.capturing import NO_RECIPE, WANTED_S_MAX
from builder.decide import decide
from builder.place.view import ProviderFacts
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images import references
from remuda.model.build import Blame, Build, BuildState, Mishap, Why, decode_build
from remuda.model.capture import Capture, CaptureAsk, Captured
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BUILD_NUMBER_MAX, BuildId, ImageRecord
from remuda.model.launch import Launch, Step
from remuda.model.upload import UploadState
from remuda.store import paths
from remuda.store.api import Create, Set, Stored
from tests.unit.builder.judging import HERE, ME, NOW_S, REVOKED, THERE, WORD, some, upload
from tests.unit.builder.judging import build as recipe_build
from tests.unit.builder.judging import world as judged

NODE: Final = NodeId("3000000001")
MACHINE: Final = Captured(
    node=NODE, provider="p", pool="main", label="small", requestor="ci-7", token="t1"
)
POLICY: Final = ImagePolicy(
    image="a", fingerprint="f", groups=(("p", "q"),), capture_refusal=lambda _: None
)


def launch(number: int = 1, **changes: Any) -> Launch:
    """Return the launch of a node whose holder asks for an image."""
    ask = CaptureAsk(image="a", token=f"t{number}", contender="c", at_s=NOW_S - number)
    first = Launch(
        id=NodeId(f"{3_000_000_000 + number}"),
        pool="main",
        label="small",
        step=Step.DONE,
        owner=ReplicaId("l"),
        planned_s=1.0,
        asked_by_s=1.0,
        capture=Capture(ask=ask, requestor="ci-7"),
    )
    return replace(first, **changes)


def capture(found: Launch, **changes: Any) -> Launch:
    """Return a launch of which the launcher says otherwise."""
    assert found.capture is not None
    return replace(found, capture=replace(found.capture, **changes))


def build(number: int = 1, state: BuildState = BuildState.REQUESTED, **more: Any) -> Build:
    """Return a build of a job's machine."""
    fields = {"why": Why.CAPTURE, "captured": MACHINE, "provider": None, "place": None, **more}
    return recipe_build(number, state, **fields)


def world(
    builds: list[Build], *launches: Launch, policy: ImagePolicy = POLICY, **more: Any
) -> WorldView:
    """Return what is known."""
    view = judged(builds, more.pop("uploads", ()), **{"policies": {"a": policy}, **more})
    seen = tuple(("p", one) for one in launches)
    return replace(view, library=replace(view.library, launches=seen))


def begun(view: WorldView) -> BeginBuild | None:
    """Return the build that is begun, if one is."""
    found = some(decide(view), BeginBuild)
    return found[0] if found else None


def test_each_ask_gets_one_build_the_oldest_first() -> None:
    """One after the other: the next number is drawn when this one is on record."""
    first = begun(world([], launch(1), launch(2), launch(3)))
    assert first == BeginBuild(
        id=BuildId("a", 1),
        group=("p", "q"),
        why=Why.CAPTURE,
        fingerprint="f",
        captured=replace(MACHINE, node=NodeId("3000000003"), token="t3"),
    )
    third = build(1, captured=first.captured)
    second = begun(world([third], launch(1), launch(2), launch(3)))
    assert second is not None
    assert second.id == BuildId("a", 2)
    assert second.captured is not None
    assert second.captured.node == NodeId("3000000002")


@pytest.mark.parametrize(
    "found",
    [
        capture(launch(), refused="no"),
        capture(launch(), build=BuildId("a", 9)),
        capture(launch(), ask=CaptureAsk(image="b", token="t", contender="c", at_s=1.0)),
        launch(step=Step.CONDEMNED),
        launch(capture=None, image_build="a/1", image_place=HERE),
    ],
)
def test_nothing_is_begun_for_what_is_no_ask(found: Launch) -> None:
    """Refused, begun already, of another image, of a node that goes; or none at all."""
    assert begun(world([], found)) is None


def test_a_captured_image_is_never_due_otherwise() -> None:
    """Neither at first, nor by a command or a time."""
    view = world([], policy=replace(POLICY, next_due_s=lambda _: 1.0, age_s_max=1.0))
    record = ImageRecord(name="a", wanted=WORD)
    images = {"a": Stored(path=paths.image("a"), value=record, version=1)}
    plan = decide(replace(view, library=replace(view.library, images=images)))
    assert some(plan, BeginBuild) == []
    assert plan.waits["a"] == NO_RECIPE
    later = {"a": replace(images["a"], value=replace(record, last_build=1))}
    assert "a" not in decide(replace(view, library=replace(view.library, images=later))).waits


def test_why_nothing_is_begun_is_said() -> None:
    """It is another builder's, or no numbers are left."""
    others = decide(world([], launch(), mine=lambda _: False))
    assert others.waits["a"] == "another builder begins it"
    view = world([], launch())
    record = ImageRecord(name="a", last_build=BUILD_NUMBER_MAX)
    images = {"a": Stored(path=paths.image("a"), value=record, version=1)}
    plan = decide(replace(view, library=replace(view.library, images=images)))
    assert plan.waits["a"] == "its numbers are used up"
    assert some(plan, BeginBuild) == []


def test_while_it_is_paused_a_capture_waits_on_record() -> None:
    """With the reason, and for a day, as any other that no builder takes."""
    paused = replace(POLICY, paused=True)
    assert begun(world([], launch(), policy=paused)) is not None
    plan = decide(world([build()], launch(), policy=paused))
    assert some(plan, TakeBuild) == []
    assert plan.waits["a/1"] == "paused in the configuration"
    old = build(requested_s=NOW_S - WANTED_S_MAX - 1.0)
    assert "in 24 hours" in str(superseded(world([old], launch(), policy=paused)))


def taken(view: WorldView) -> Plan:
    """Return the plan, which begins nothing new."""
    plan = decide(view)
    assert some(plan, BeginBuild) == []
    return plan


def test_it_is_made_where_the_machine_is() -> None:
    """In no other provider, however many have the image."""
    plan = taken(world([build()], launch()))
    assert some(plan, TakeBuild) == [
        TakeBuild(id=BuildId("a", 1), provider="p", place=HERE, parent=None, base=None)
    ]
    away = taken(world([build()], launch(), away={"p": "the cloud is away"}))
    assert some(away, TakeBuild) == []
    assert away.waits["a/1"] == "the cloud is away"
    full = {"p": ProviderFacts(name="p", place=HERE, full="no room")}
    assert taken(world([build()], launch(), providers=full)).waits["a/1"] == "no room"
    unknown = taken(world([build()], launch(), providers={}))
    assert "nobody knows yet where its images lie" in unknown.waits["a/1"]


@pytest.mark.parametrize(
    ("state", "place", "parent"),
    [
        (UploadState.USABLE, HERE, True),
        (UploadState.RETIRING, HERE, False),
        (UploadState.USABLE, THERE, False),
        (None, HERE, False),
    ],
)
def test_an_image_of_ours_that_the_machine_boots_is_its_parent(
    state: UploadState | None, place: str, *, parent: bool
) -> None:
    """So that it is revoked with it, as long as anything new may refer to that."""
    old = recipe_build(1)
    booted = launch(1, image_build="a/1", image_place=place)
    uploads = [] if state is None else [upload(1, place, state=state)]
    view = world([old, build(2)], booted, uploads=uploads)
    (action,) = some(decide(view), TakeBuild)
    assert (action.parent is not None) is parent
    ops = writes.WRITES[TakeBuild](view, action)
    assert len(ops) == (3 if parent else 1)
    assert isinstance(ops[0], Set)
    after = decode_build(BuildId("a", 2), ops[0].data)
    assert (after.node, after.provider, after.owner) == (NODE, "p", ME)
    assert (after.parent == BuildId("a", 1)) is parent


def superseded(view: WorldView) -> str | None:
    """Return why a requested build is given up, if it is."""
    found = some(decide(view), Supersede)
    return found[0].because if found else None


def test_what_is_not_allowed_any_more_is_given_up() -> None:
    """By the configuration of who would make it, whatever a launcher allowed."""
    refusing = replace(POLICY, capture_refusal=lambda one: f"no {one.label}")
    assert superseded(world([build()], launch(), policy=refusing)) == "no small"
    recipe = replace(POLICY, capture_refusal=None)
    assert "it has a recipe now" in str(superseded(world([build()], launch(), policy=recipe)))


def test_a_node_that_is_gone_is_given_up() -> None:
    """But not at once: what we see of launches may be older than the build."""
    assert "is not there any more" in str(superseded(world([build()])))
    going = launch(step=Step.CONDEMNED)
    assert "is not there any more" in str(superseded(world([build()], going)))
    fresh = build(since_s=NOW_S - 1.0)
    assert superseded(world([fresh], going)) is None
    plan = decide(world([fresh]))
    assert "is not known yet" in plan.waits["a/1"]


def test_what_nobody_began_in_a_day_is_given_up() -> None:
    """Whoever waited for it does not any more."""
    old = build(requested_s=NOW_S - WANTED_S_MAX - 1.0)
    assert "no builder could begin it in 24 hours" in str(superseded(world([old], launch())))


def test_a_machine_of_a_revoked_build_is_not_captured() -> None:
    """What was made from it would be revoked as well."""
    old = recipe_build(1, revoked=REVOKED)
    booted = launch(1, image_build="a/1", image_place=HERE)
    view = world([old, build(2)], booted, uploads=[upload(1)])
    assert superseded(view) == f"node {NODE} boots a/1, which is revoked"


def test_a_build_of_a_machine_is_made_as_any_other() -> None:
    """And the record that is begun says of which machine."""
    ours = build(1, BuildState.BUILDING, owner=ME, provider="p", place=HERE)
    assert some(decide(world([ours], launch())), Make) == [Make(id=BuildId("a", 1))]
    action = begun(world([], launch()))
    assert action is not None
    ops = writes.WRITES[BeginBuild](world([], launch()), action)
    assert isinstance(ops[1], Create)
    assert decode_build(action.id, ops[1].data).captured == MACHINE


@pytest.mark.parametrize("blame", [Blame.CLOUD, Blame.BUILDER, Blame.JOB, Blame.RECIPE])
@pytest.mark.parametrize("quieted_s", [None, 5.0])
def test_a_machine_that_began_to_be_quiet_has_one_attempt(
    blame: Blame, quieted_s: float | None
) -> None:
    """It is not what its job made of it any more; before that, what is not its fault is again."""
    ours = build(
        1,
        BuildState.BUILDING,
        owner=ME,
        provider="p",
        place=HERE,
        quieted_s=quieted_s,
        login_key="k",
    )
    mishap = Mishap(step="x", blame=blame, message="y")
    after = outcome.unmade(ours, mishap, POLICY, now_s=NOW_S)
    again = quieted_s is None and blame in {Blame.CLOUD, Blame.BUILDER}
    assert after.state is (BuildState.REQUESTED if again else BuildState.FAILED)
    if again:
        assert after.login_key is None


def test_a_dead_builder_ends_what_it_had_begun_to_quiet() -> None:
    """Another one begins anew only what is as its job left it."""
    dead = build(1, BuildState.BUILDING, owner=ReplicaId("dead"), provider="p", place=HERE)
    for quieted_s, state in ((None, BuildState.REQUESTED), (5.0, BuildState.FAILED)):
        view = world([replace(dead, quieted_s=quieted_s)], launch())
        (action,) = some(decide(view), LoseBuild)
        (op,) = writes.WRITES[LoseBuild](view, action)
        assert isinstance(op, Set)
        assert decode_build(BuildId("a", 1), op.data).state is state


@pytest.mark.parametrize("blame", list(Blame))
def test_a_capture_that_failed_is_no_broken_recipe(blame: Blame) -> None:
    """The next one is of another machine; who asked for it is told."""
    mishap = Mishap(step="whole", blame=blame, message="exit code 1")
    failed = build(1, BuildState.FAILED, mishap=mishap, provider="p", place=HERE)
    assert some(decide(world([failed])), RaiseAlarm) == []


def test_a_hand_that_ended_unwritten_is_not_followed_by_another() -> None:
    """The record says that its machine was being quieted: it ends, as if its builder had died."""
    ours = build(1, BuildState.BUILDING, owner=ME, provider="p", place=HERE, quieted_s=5.0)
    view = world([ours], launch())
    plan = decide(view)
    assert some(plan, Make) == []
    (action,) = some(plan, LoseBuild)
    (op,) = writes.WRITES[LoseBuild](view, action)
    assert isinstance(op, Set)
    assert decode_build(BuildId("a", 1), op.data).state is BuildState.FAILED


def test_who_asks_refers_to_nothing() -> None:
    """A launch that boots no image of ours keeps none, though it is known."""
    view = world([], launch())
    assert references.index(view.library.holders()) == {}
