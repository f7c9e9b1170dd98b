"""Held machines that are taken home: granted by our rules, begun, let in, let go, opened again."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

from launcher.guest.actions import LetIn, NoteKeys, SetKeys
from launcher.hold.actions import LookIn, NoteHold
from launcher.hold.owners import images_by
from launcher.image.binding import Bound, bind
from launcher.node.actions import Condemn
from launcher.node.shortage import Shortage
from launcher.node.view import NodeView
from launcher.provider.learning import learn_failure, learn_refusal, learn_success
from launcher.request.view import RequestView
from launcher.takehome import reopening as opening
from launcher.takehome.actions import AnswerSnapshot, BeginTakeHome
from launcher.takehome.fold import take_home_record
from launcher.takehome.results import TakeHomeResults
from launcher.takehome.taking import PATIENCE_S, take_home, under_way
from launcher.takehome.writes import answer_snapshot, begin
from launcher.world import World
from remuda.cloud.api import BadOrderError
from remuda.config.holds import HoldsFrom
from remuda.config.snapshots import SnapshotsFrom
from remuda.config.takehomes import NONE_ALLOWED, SnapshotRules
from remuda.metrics.prometheus import PrometheusBackend
from remuda.metrics.sink import Metrics
from remuda.model import launch as launches
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdwish import ExtendWish, HoldWish, KeyWish, SnapshotWish, wish_fields
from remuda.model.ids import NodeId, RequestId
from remuda.model.node import NodeState
from remuda.model.request import Request, RequestState
from remuda.model.takehome import (
    SnapshotAnswer,
    TakeHome,
    TakeHomeState,
    decode_take_home,
    encode_take_home,
)
from remuda.store import paths
from remuda.store.api import Check, Create, Gone, Put, Set, Stored
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world
from tests.unit.metrics.test_sink import value

DEVS: Final = "0123456789abcdef0123456789abcdef"
SNAPSHOT: Final = SnapshotWish(token="s1", share_with=DEVS, public=False, for_s=86_400.0)
WISH: Final = HoldWish(token="t1", owner="ada", reason="red", at_s=NOW.wall_s, snapshot=SNAPSHOT)
HELD: Final = Hold(
    owner="ada",
    reason="red",
    source=HoldSource.ASKED,
    for_s=3600.0,
    since_s=NOW.wall_s - 5.0,
    ends_s=NOW.wall_s + 3595.0,
)
GRANTED: Final = SnapshotAnswer(wish=SNAPSHOT)
BEGUN: Final = replace(GRANTED, begun=True)
KEY: Final = f"ssh-ed25519 {'B' * 68}"


def ruled(**rules: Any) -> World:
    """Return a world in which machines may be taken home."""
    made = world()
    allowed = SnapshotsFrom.model_validate({"max-age": "20d", **rules})
    made.policy = replace(made.policy, snapshots=SnapshotRules(allowed=allowed))
    return made


def held(
    made: World, answer: SnapshotAnswer | None = None, wish: HoldWish = WISH, **launch: Any
) -> NodeView:
    """Add a held node whose holder wishes to take it home."""
    said = {"requestor": "ci-7", **wish_fields(wish)}
    how = {"hold": HELD, "take_home": answer, **launch}
    return add_node(made, 1, state=NodeState.HOLD, launch=how, **said)


def put(made: World, view: NodeView, **changes: Any) -> None:
    """Have a record of its image."""
    assert view.launch is not None
    one = TakeHome(
        node=view.id,
        state=TakeHomeState.MAKING,
        wish=SNAPSHOT,
        provider="here",
        pool="main",
        label="small",
        since_s=NOW.wall_s,
        server=view.launch.server,
    )
    path = paths.take_home(view.id)
    stored = Stored(path=path, value=encode_take_home(replace(one, **changes)), version=3)
    take_home_record(made, view.id, Put(path=path, stored=stored))


def step(made: World, view: NodeView) -> Any:
    """Return the next step."""
    assert view.launch is not None
    assert view.node is not None
    return take_home(made, view, view.launch, view.node)


def test_what_the_configuration_allows_is_granted_and_begun() -> None:
    """In two writes, each under proof of what was read."""
    made = ruled()
    view = held(made)
    (action,) = of_kind(think(made), AnswerSnapshot)
    assert action == AnswerSnapshot(node=view.id, answer=GRANTED)
    read, told = answer_snapshot(made, view, action)
    assert read == Check(path=paths.node(view.id), version=view.node_version)
    assert isinstance(told, Set)
    assert launches.decode(view.id, told.data).take_home == GRANTED

    made = ruled()
    view = held(made, GRANTED)
    (action,) = of_kind(think(made), BeginTakeHome)
    *_, told, record = begin(made, view, now_s=NOW.wall_s)
    assert isinstance(told, Set)
    assert launches.decode(view.id, told.data).take_home == BEGUN
    assert isinstance(record, Create)
    one = decode_take_home(view.id, record.data)
    assert (one.state, one.by, one.requestor) == (TakeHomeState.ASKED, "ada", "ci-7")


@pytest.mark.parametrize(
    ("rules", "change", "why"),
    [
        ({"labels": ["large"]}, {}, "label small is none of those"),
        ({"requestors": ["nightly"]}, {}, "ci-7 is none of those"),
        ({"max-age": "1h"}, {}, "at most, not for 1"),
        ({"max-age": "30d"}, {"for_s": 30 * 86_400 + 1800.0}, "for 30d at most, not longer"),
        ({"share": False}, {}, "'share' is false"),
        ({}, {"share_with": "devs"}, "a project is named by its id"),
        ({}, {"share_with": None, "public": True}, "'public' is false"),
        ({"public": True}, {"public": True}, "not both"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_it(
    rules: dict[str, Any], change: dict[str, Any], why: str
) -> None:
    """Whatever the node's record says."""
    made = ruled(**rules)
    view = held(made, None, replace(WISH, snapshot=replace(SNAPSHOT, **change)))
    assert why in step(made, view).answer.refused


def test_without_a_section_nothing_is_taken_home() -> None:
    """Images cost room, and may tell what nobody thought of."""
    made = world()
    assert step(made, held(made)).answer.refused == NONE_ALLOWED


def test_machines_of_secret_labels_stay() -> None:
    """Whoever asks."""
    made = ruled()
    rules = replace(made.policy.snapshots, secret_labels=frozenset({"small"}))
    made.policy = replace(made.policy, snapshots=rules)
    assert "its jobs work with secrets" in step(made, held(made)).answer.refused


def test_one_wish_is_answered_at_a_time() -> None:
    """Another one only once the first is refused, or came to nothing."""
    other = replace(SNAPSHOT, token="s2")
    wish = replace(WISH, snapshot=other)
    made = ruled()
    view = held(made, replace(GRANTED, refused="no"), wish)
    assert step(made, view).answer.wish == other
    made = ruled()
    view = held(made, BEGUN, wish)
    put(made, view)
    assert step(made, view) is None
    put(made, view, state=TakeHomeState.FAILED, quiet=True, cloud_name="x")
    assert step(made, view).answer.wish == other

    made = ruled()
    view = held(made, SnapshotAnswer(wish=other), wish)
    put(made, view, state=TakeHomeState.FAILED, quiet=True)
    assert isinstance(step(made, view), BeginTakeHome)
    record = begin(made, view, now_s=NOW.wall_s)[-1]
    assert isinstance(record, Set)
    again = decode_take_home(view.id, record.data)
    assert (again.state, again.quiet, again.wish) == (TakeHomeState.ASKED, True, other)


def test_the_builder_is_let_in_and_the_machine_let_go() -> None:
    """Once its image is whole, and is of that very machine."""
    made = ruled()
    view = held(made, BEGUN)
    assert step(made, view) is None
    put(made, view)
    assert step(made, view) is None
    put(made, view, login_key=KEY)
    assert step(made, view) == LetIn(node=view.id, key=KEY)
    put(made, view, login_key=KEY, quiet=True)
    assert step(made, view) is None
    put(made, view, state=TakeHomeState.WHOLE, server="another")
    assert step(made, view) is None
    put(made, view, state=TakeHomeState.WHOLE, cloud_image="7f3d")
    assert step(made, view) == Condemn(node=view.id, cause="its hold goes on as image 7f3d")
    put(made, view, state=TakeHomeState.WHOLE, wish=replace(SNAPSHOT, token="s0"))
    assert step(made, view) is None


def test_a_machine_in_use_is_answered_once_it_will_be_held() -> None:
    """And begun when it is."""
    made = ruled()
    view = held(made)
    assert view.node is not None
    in_use = replace(view.node, state=NodeState.IN_USE)
    assert view.launch is not None
    refused = replace(view.launch, hold=replace(HELD, refused="no"))
    assert take_home(made, view, refused, in_use) is None
    assert isinstance(take_home(made, view, view.launch, in_use), AnswerSnapshot)
    granted = replace(view.launch, take_home=GRANTED)
    assert take_home(made, view, granted, in_use) is None


def test_a_hold_that_is_over_waits_for_its_image() -> None:
    """For a time."""
    made = ruled()
    view = held(made, BEGUN)
    assert under_way(made, view.id, NOW.wall_s) is None
    put(made, view)
    assert under_way(made, view.id, NOW.wall_s) == NOW.wall_s + PATIENCE_S
    assert under_way(made, view.id, NOW.wall_s + PATIENCE_S) is None


def test_nothing_is_deleted_while_its_image_is_made() -> None:
    """Its time is over, and nobody made one: it goes."""
    over = replace(HELD, ends_s=NOW.wall_s - 1.0)
    made = ruled()
    view = held(made, BEGUN, hold=over)
    assert of_kind(think(made), Condemn) == [Condemn(node=view.id, cause="its hold is over")]
    made = ruled()
    view = held(made, BEGUN, hold=over)
    put(made, view)
    assert of_kind(think(made), Condemn) == []


def test_no_hold_changes_while_its_image_is_made() -> None:
    """It is quiet, and then stopped: nobody is lost, nobody idles, no key comes back onto it."""
    key = KeyWish(token="k", by="ada", at_s=NOW.wall_s, line=KEY)
    more = ExtendWish(token="e", by="ada", for_s=0.0, at_s=NOW.wall_s)
    for wish in (replace(WISH, keys=(key,)), WISH):
        made = ruled()
        holds = HoldsFrom.model_validate({"idle-end": "10m"})
        made.policy = replace(made.policy, holds=holds)
        idle = replace(HELD, since_s=NOW.wall_s - 3000.0, idle_since_s=NOW.wall_s - 2000.0)
        view = held(made, BEGUN, wish, hold=idle)
        put(made, view, quiet=True)
        view.server.missed = 5
        assert of_kind(think(made), SetKeys, NoteKeys, NoteHold, LookIn, Condemn) == []

    made = ruled()
    view = held(made, BEGUN, replace(WISH, extend=(more,)))
    put(made, view, quiet=True)
    (action,) = of_kind(think(made), NoteHold)
    assert action.hold.ends_s == HELD.ends_s
    assert action.hold.extended[-1].refused == (
        "its image is made, and the machine goes once that is whole"
    )
    put(made, view, state=TakeHomeState.FAILED)
    assert of_kind(think(made), NoteHold)[0].hold.ends_s != HELD.ends_s


def test_a_machine_whose_image_is_whole_goes_at_once() -> None:
    """So that its quota is free."""
    made = ruled()
    view = held(made, BEGUN)
    put(made, view, state=TakeHomeState.WHOLE, cloud_image="7f3d")
    (gone,) = of_kind(think(made), Condemn)
    assert gone.cause == "its hold goes on as image 7f3d"


def test_records_of_other_providers_and_bad_ones_are_not_kept() -> None:
    """What is gone is gone."""
    made = ruled()
    view = held(made, BEGUN)
    put(made, view, provider="there")
    assert made.take_homes == {}
    put(made, view)
    take_home_record(made, view.id, Gone(path=paths.take_home(view.id)))
    assert made.take_homes == {}


def test_an_image_is_opened_by_its_request_alone() -> None:
    """With the label that it had; what is not there is said."""
    made = ruled()
    view = held(made, BEGUN)
    put(made, view, state=TakeHomeState.WHOLE, cloud_image="7f3d", size_bytes=5, min_disk_gib=2)
    request = Request(
        id=RequestId("200-1"), state=RequestState.REQUESTED, labels=("small",), opens=view.id
    )
    wanting = RequestView(id=request.id, request=request, version=1, seen_s=0.0)
    assert opening.opened(made, ("main", "small"), wanting) == view.id
    assert bind(made, NOW, ("main", "small"), wanting) == Bound(opened=view.id)
    large = replace(wanting, request=replace(request, labels=("large",)))
    found = opening.opened(made, ("main", "large"), large)
    assert isinstance(found, Shortage)
    assert found.final
    other = replace(wanting, request=replace(request, opens=NodeId("9")))
    assert isinstance(opening.opened(made, ("main", "small"), other), Shortage)
    assert isinstance(bind(made, NOW, ("main", "small"), other), Shortage)

    assert view.launch is not None
    booted = replace(view.launch, opened=view.id, for_request=RequestId("200-1"))
    image = opening.image_of(made, booted)
    assert image is not None
    assert (image.id, image.min_disk_gib) == ("7f3d", 2)
    assert opening.image_of(made, view.launch) is None
    assert opening.closed(made, booted) is None
    assert opening.closed(made, view.launch) is None
    gone = opening.left(made, view, booted)
    assert gone is not None
    assert "opened for that alone" in gone.cause
    assert opening.left(made, view, view.launch) is None
    made.queue.views[RequestId("200-1")] = wanting
    assert opening.left(made, view, booted) is None
    put(made, view, state=TakeHomeState.ENDING)
    assert opening.closed(made, booted) == f"the take-home image of node {view.id} is gone"
    with pytest.raises(KeyError):
        opening.image_of(made, booted)


def test_what_a_job_has_left_says_nothing_of_its_label() -> None:
    """An image that its job has spoilt, opened again and again, closes the label to nobody."""
    made = ruled()
    view = held(made, BEGUN)
    assert view.launch is not None
    plain = view.launch
    for opened, told in ((view.id, False), (None, True)):
        view.launch = replace(plain, opened=opened)
        for _ in range(made.policy.breaker_failures):
            learn_failure(made, view, "it does not boot", NOW)
        learn_refusal(made, view, BadOrderError("no such image"), NOW)
        assert (view.key in made.cloud.breakers) is told
        assert (view.looked_up in made.cloud.refusals) is told
        assert (view.looked_up in made.cloud.doubted) is told
    view.launch = replace(plain, opened=view.id)
    learn_success(made, view, NOW)
    assert view.key in made.cloud.breakers
    assert view.key not in made.cloud.ready_s


def test_images_that_are_there_are_counted_by_owner_and_age() -> None:
    """Those that are being deleted, too; none that is only on its way."""
    made = ruled()
    for number, state in enumerate((*TakeHomeState, TakeHomeState.WHOLE)):
        view = add_node(made, number + 1, state=NodeState.HOLD)
        put(made, view, state=state, by="ada", since_s=NOW.wall_s)
    assert images_by(made, NOW) == {("ada", "hour"): 3}
    later = replace(NOW, wall_s=NOW.wall_s + 2 * 86_400.0)
    assert images_by(made, later) == {("ada", "week"): 3}


@pytest.mark.parametrize(("refused", "count"), [("no", 1), (None, None)])
def test_a_refused_wish_is_counted(refused: str | None, count: int | None) -> None:
    """By the launcher whose answer was written; what was granted, its builder counts."""
    made, prometheus = ruled(), PrometheusBackend()
    view = held(made)
    nodes: Any = SimpleNamespace(written=lambda _node, event, _now: view if event else None)
    log: Any = SimpleNamespace(info=lambda *_, **__: None, warning=lambda *_, **__: None)
    results = TakeHomeResults(made, nodes, log, Metrics([prometheus]))
    action = AnswerSnapshot(node=view.id, answer=replace(GRANTED, refused=refused))
    for event in (True, False):
        results.answers()[AnswerSnapshot](action, event, NOW)
    labels = {"provider": "here", "result": "refused"}
    assert value(prometheus, "remuda_take_homes_total", **labels) == count
