"""What holders ask of their machines: answered by our rules, and a builder let in, no more."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.capture.actions import AnswerCapture, NoteCaptureBuild
from launcher.capture.capturing import NOT_HELD
from launcher.capture.writes import answer_capture
from launcher.events import Event
from launcher.guest.actions import LetIn, NoteGuest
from launcher.node.actions import Condemn
from launcher.node.view import LockView, NodeView
from remuda.cloud.api import Server, ServerStatus
from remuda.frame.work import Written
from remuda.model import launch as launches
from remuda.model.build import BuildState, encode_build
from remuda.model.capture import Capture
from remuda.model.guest import Guest
from remuda.model.ids import NodeId
from remuda.model.image import BuildId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Check, Create, Gone, Put, StaleWriteError, Stored
from tests.unit.launcher.captured import (
    ASK,
    BUILD,
    CONTENDER,
    KEY,
    RULE,
    answered,
    asked,
    begin,
    taken,
    world,
)
from tests.unit.launcher.works import Works, quiet_fold
from tests.unit.launcher.worlds import NOW, of_kind, think


def test_what_the_configuration_allows_is_taken() -> None:
    """With the requestor's name as the node's record has it."""
    made = world()
    asked(made)
    assert answered(made) == Capture(ask=ASK, requestor="ci-7")


@pytest.mark.parametrize(
    ("ask", "setting", "fields", "why"),
    [
        ({"image": "nobody"}, {}, {}, "there is no image 'nobody' in the configuration"),
        ({"image": "noble"}, {}, {}, "noble is made by its recipe"),
        ({}, {"secret": True}, {}, "label small: its jobs work with secrets"),
        ({}, {"rule": {**RULE, "labels": ["large"]}}, {}, "label small is none of those"),
        ({}, {}, {"requestor": "ada@host"}, "ada@host is none of those who may capture oneiric"),
        ({}, {}, {"requestor": None}, "nobody is none of those who may"),
        ({"contender": "another"}, {}, {}, NOT_HELD),
    ],
)
def test_what_breaks_a_rule_is_refused_with_it(
    ask: dict[str, Any], setting: dict[str, Any], fields: dict[str, Any], why: str
) -> None:
    """Whatever the node's record says besides: it is a requestor's."""
    made = world(**setting)
    asked(made, replace(ASK, **ask), **fields)
    refused = answered(made).refused
    assert refused is not None
    assert why in refused


def test_an_image_for_other_providers_is_refused() -> None:
    """It is made where its recipe says."""
    made = world()
    recipe = made.policy.captures.recipes["oneiric"]
    elsewhere = replace(recipe, makings={"there": recipe.makings["here"]})
    rules = replace(made.policy.captures, recipes={"oneiric": elsewhere})
    made.policy = replace(made.policy, captures=rules)
    asked(made)
    assert answered(made).refused == "oneiric is not for provider here"


@pytest.mark.parametrize(
    ("image", "why"), [("i1", "has volumes attached"), (None, "boots from a volume")]
)
def test_a_machine_with_volumes_is_refused(image: str | None, why: str) -> None:
    """What is on them would not be in the image."""
    made = world()
    view = asked(made)
    server = view.server.id
    assert server is not None
    view.server.shown = Server(
        id=server, name="n", status=ServerStatus.ACTIVE, image_id=image, volumes=("v1",)
    )
    refused = answered(made).refused
    assert refused is not None
    assert why in refused
    view.server.shown = replace(view.server.shown, volumes=())
    assert answered(made).refused is None


@pytest.mark.parametrize(
    "fields",
    [{"remuda_capture": 7}, {"remuda_capture": {"image": "../x"}}, {"state": NodeState.HOLD}],
)
def test_what_is_no_ask_of_a_holder_is_none(fields: dict[str, Any]) -> None:
    """Rubbish, and a machine that is not in use."""
    made = world()
    asked(made, **fields)
    assert of_kind(think(made), AnswerCapture, Condemn) == []


def test_without_the_lock_nothing_is_answered() -> None:
    """Its user went away: it is condemned, as without an ask."""
    made = world()
    view = asked(made)
    view.lock = LockView(exists=True)
    assert [type(one) for one in of_kind(think(made), AnswerCapture, Condemn)] == [Condemn]


def test_a_capture_is_answered_once() -> None:
    """A refused ask may be followed by another; one that is made, or was, may not."""
    made = world()
    view = asked(made, launch=taken())
    assert of_kind(think(made), AnswerCapture) == []
    refused = Capture(ask=replace(ASK, token="t0"), requestor="ci-7", refused="no")
    assert view.launch is not None
    view.launch = replace(view.launch, capture=refused)
    assert answered(made).ask.token == "t1"
    view.launch = replace(view.launch, capture=replace(refused, refused=None))
    assert of_kind(think(made), AnswerCapture) == []


@pytest.mark.parametrize(
    ("state", "quieted_s", "again"),
    [
        (BuildState.BUILDING, None, False),
        (BuildState.BUILT, 5.0, False),
        (BuildState.FAILED, 5.0, False),
        (BuildState.FAILED, None, True),
        (BuildState.SUPERSEDED, None, True),
    ],
)
def test_a_machine_that_was_not_quieted_can_be_asked_for_again(
    state: BuildState, quieted_s: float | None, *, again: bool
) -> None:
    """Its check failed, say; another attempt finds the machine as its job left it."""
    made = world()
    begin(made, state, quieted_s=quieted_s)
    asked(made, launch=taken(BUILD, token="t0"))
    assert bool(of_kind(think(made), AnswerCapture)) is again


def test_after_its_record_is_gone_a_machine_can_be_asked_for_again() -> None:
    """Nothing tells that it was quieted; the builder would see."""
    made = world()
    asked(made, launch=taken(BUILD, token="t0"))
    assert answered(made).ask.token == "t1"


def test_the_build_is_noted_and_then_its_builder_let_in() -> None:
    """Once it says by which key it comes."""
    made = world()
    view = asked(made, launch=taken())
    assert of_kind(think(made), NoteCaptureBuild, LetIn) == []
    begin(made)
    assert of_kind(think(made), NoteCaptureBuild) == [NoteCaptureBuild(node=view.id, build=BUILD)]

    assert view.launch is not None
    view.launch = replace(view.launch, **taken(BUILD))
    assert of_kind(think(made), NoteCaptureBuild, LetIn) == []
    begin(made, login_key=KEY)
    assert of_kind(think(made), LetIn) == [LetIn(node=view.id, key=KEY)]
    view.guest = Guest(key=KEY)
    assert of_kind(think(made), LetIn, NoteGuest) == [NoteGuest(node=view.id, guest=view.guest)]
    view.launch = replace(view.launch, guest=Guest(key=KEY))
    assert of_kind(think(made), LetIn, NoteGuest) == []


@pytest.mark.parametrize("state", [BuildState.REQUESTED, BuildState.SNAPSHOTTING, BuildState.BUILT])
def test_nobody_is_let_in_but_who_makes_it_now(state: BuildState) -> None:
    """Not before it is taken, nor after it is quiet."""
    made = world()
    asked(made, launch=taken(BUILD))
    begin(made, state, login_key=KEY)
    assert of_kind(think(made), LetIn, NoteGuest) == []


@pytest.mark.parametrize(
    "capture",
    [
        Capture(ask=ASK, requestor="ci-7", refused="no"),
        Capture(ask=ASK, requestor="ci-7", build=BuildId("oneiric", 2)),
    ],
)
def test_nobody_is_let_in_for_what_was_not_taken(capture: Capture) -> None:
    """Whoever writes a build that names a node does not come onto its machine by that."""
    made = world()
    asked(made, launch={"capture": capture})
    begin(made, login_key=KEY)
    assert of_kind(think(made), LetIn, NoteGuest, NoteCaptureBuild) == []


def test_a_build_that_is_gone_is_forgotten() -> None:
    """And one that is read anew is known by what it says now."""
    made = world()
    begin(made)
    key = (NodeId("0000000001"), "t1")
    assert made.images.captures == {key: BUILD}
    begin(made, BuildState.FAILED)
    assert made.images.captures == {key: BUILD}
    made.images.take(Gone(path=paths.build(BUILD)))
    assert made.images.captures == {}


def test_news_of_its_build_has_a_node_judged() -> None:
    """The launcher waits for it."""
    made = world()
    view = asked(made, launch=taken())
    begin(made)
    one = made.images.builds[BUILD]
    made.take_agenda()
    news = Stored(path=one.path, value=encode_build(one.value), version=10)
    quiet_fold(made).fold(Put(path=one.path, stored=news), now_s=NOW.mono_s)
    assert view.id in made.take_agenda().nodes


# -- what is written ---------------------------------------------------------------------------


def recorded(works: Works, view: NodeView) -> launches.Launch:
    """Return the launch on record."""
    stored = works.store.read(paths.launch("here", view.id))
    assert stored is not None
    return launches.decode(view.id, stored.value)


def record(works: Works, view: NodeView) -> None:
    """Put what is known of a node on record, its lock with it."""
    assert view.launch is not None
    path = paths.launch("here", view.id)
    works.store.ensure(path.rpartition("/")[0], paths.NODES, paths.uploads(BUILD))
    works.store.commit(
        [
            Create(path=path, data=launches.encode(view.launch)),
            Create(path=paths.node(view.id)),
            Create(path=paths.node_lock(view.id)),
            Create(path=f"{paths.node_lock(view.id)}/{CONTENDER}"),
        ]
    )
    view.launch_version = view.node_version = 0


def do(works: Works, action: Any) -> Event:
    """Carry a transaction out; return what comes back."""
    works.starter.start(action, NOW)
    works.store.wire.deliver_one()
    (event,) = works.ground.inbox.drain(wait_s_max=0.0).events
    works.results.take(event, NOW)
    return event


def test_an_answer_is_written_under_the_lock_of_who_asked() -> None:
    """The holder that went away in between gets none."""
    made = world()
    works = Works(made)
    view = asked(made)
    record(works, view)
    (action,) = of_kind(think(made), AnswerCapture)
    do(works, action)
    assert recorded(works, view).capture == action.capture

    view.launch_version = 1
    missing = replace(action.capture, ask=replace(ASK, contender="gone"))
    event = do(works, replace(action, capture=missing))
    assert isinstance(event, Written)
    assert isinstance(event.result, Exception)
    assert recorded(works, view).capture == action.capture


def test_a_refusal_needs_no_lock_but_the_record_that_was_read() -> None:
    """Else the next ask would be answered in place of this one."""
    made = world(secret=True)
    works = Works(made)
    view = asked(made, replace(ASK, contender="gone"))
    record(works, view)
    (action,) = of_kind(think(made), AnswerCapture)
    do(works, action)
    found = recorded(works, view).capture
    assert found is not None
    assert found.refused == NOT_HELD
    view.node_version, view.launch_version = 7, 1
    event = do(works, action)
    assert isinstance(event, Written)
    assert isinstance(event.result, StaleWriteError)


def test_the_number_of_a_build_and_its_guest_are_written() -> None:
    """Both by who works on the node."""
    made = world()
    works = Works(made)
    view = asked(made, launch=taken())
    record(works, view)
    do(works, NoteCaptureBuild(node=view.id, build=BUILD))
    assert view.launch is not None
    capture = recorded(works, view).capture
    assert capture is not None
    assert capture.build == BUILD
    view.launch, view.launch_version = recorded(works, view), 1
    view.guest = Guest(key=KEY, refused="it is shut")
    do(works, NoteGuest(node=view.id, guest=view.guest))
    assert recorded(works, view).guest == Guest(key=KEY, refused="it is shut")
    assert view.guest is None
    view.launch_version = 7
    do(works, NoteGuest(node=view.id, guest=Guest(key=KEY)))
    do(works, NoteCaptureBuild(node=view.id, build=BUILD))
    assert recorded(works, view).guest == Guest(key=KEY, refused="it is shut")


def test_the_proof_of_an_answer_is_the_contender() -> None:
    """Its path, below the lock of that node."""
    made = world()
    view = asked(made)
    (action,) = of_kind(think(made), AnswerCapture)
    ops = answer_capture(made, view, action)
    assert Check(path=f"{paths.node_lock(view.id)}/{CONTENDER}") in ops
    refused = answer_capture(made, view, replace(action, held=False))
    assert [one.path for one in refused] == [paths.node(view.id), paths.launch("here", view.id)]
