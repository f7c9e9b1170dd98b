"""The life of a node: every step in every situation calls for exactly one action, or none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from launcher.actions import Action
from launcher.node.actions import (
    Adopt,
    Advance,
    CollectEvidence,
    Condemn,
    Free,
    MakeReady,
    Probe,
    Prove,
    RemoveRecords,
)
from launcher.node.end import Deletion, Failure, Refusal
from launcher.node.proof import Access
from launcher.node.view import EVIDENCE, NodeView
from launcher.request.actions import Allocate
from launcher.server.actions import CreateServer, DeleteServer
from launcher.server.state import ServerState
from launcher.server.view import ServerView
from launcher.world import World
from remuda.cloud.api import Server, ServerStatus
from remuda.metrics.results import Result
from remuda.model.ids import NodeId, ServerId
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.runtime.now import Now
from tests.unit.launcher.worlds import (
    ME,
    NOW,
    add_node,
    add_replica,
    add_request,
    know,
    of_kind,
    think,
    world,
)

NODE = NodeId("0000000001")
SERVER = ServerId("server-1")
KINDS = (
    Adopt,
    Advance,
    CollectEvidence,
    RemoveRecords,
    Condemn,
    CreateServer,
    DeleteServer,
    Free,
    Probe,
    MakeReady,
    Prove,
)
DELETING = ServerState.DELETING
Change = Callable[[World, NodeView], None]


def shown(status: ServerStatus = ServerStatus.ACTIVE, **fields: Any) -> Server:
    """Return a server as a listing shows it."""
    usual = {"public_ipv4": "198.18.0.1"} if status is ServerStatus.ACTIVE else {}
    return Server(id=SERVER, name="np1", status=status, **{**usual, **fields})


def judged(made: World, view: NodeView, now: Now = NOW) -> Action | None:
    """Return the one action on a node, or None."""
    made.touch_node(view)
    found = [one for one in of_kind(think(made, now), *KINDS) if one.node == view.id]
    assert len(found) <= 1
    return found[0] if found else None


def setting(**fields: Any) -> Change:
    """Return a situation: attributes of the view that differ."""

    def change(_made: World, view: NodeView) -> None:
        know(view, **fields)

    return change


def ours_unsent(made: World, view: NodeView) -> None:
    """We wrote the intent and have not asked for it yet."""
    made.fresh.add(view.id)
    view.server = ServerView()


def sent_late(made: World, view: NodeView) -> None:
    """Nobody knows about the call; a listing of long after it shows nothing."""
    made.fresh.add(view.id)
    view.server = ServerView()
    view.server.send_create()
    assert view.launch is not None
    view.launch = replace(view.launch, asked_by_s=NOW.wall_s - 6.0)
    made.cloud.complete_wall_s = NOW.wall_s


def listed_too_early(made: World, view: NodeView) -> None:
    """As above, but the listing was begun when the call could still arrive."""
    sent_late(made, view)
    made.cloud.complete_wall_s = NOW.wall_s - 6.0


def old(_made: World, view: NodeView) -> None:
    """Its launch was planned long ago."""
    assert view.launch is not None
    view.launch = replace(view.launch, planned_s=NOW.wall_s - 901.0)
    view.server.shown = shown(ServerStatus.BUILDING)


def slow_boot(_made: World, view: NodeView) -> None:
    """It boots for longer than ``boot-timeout``."""
    assert view.launch is not None
    view.launch = replace(view.launch, planned_s=NOW.wall_s - 601.0)
    view.server.shown = shown(ServerStatus.BUILDING)


def failed(until_s: float) -> Failure:
    """Return a failed launch whose evidence may take until then."""
    return Failure(result=Result.SSH, cause="no", until_s=until_s)


CASES: list[tuple[str, Step, Change, type | None]] = [
    ("asked for once", Step.PLANNED, ours_unsent, CreateServer),
    ("the call is under way", Step.PLANNED, setting(busy="create"), None),
    ("the cloud gave an id", Step.PLANNED, setting(), Advance),
    ("somebody else's call may be under way", Step.PLANNED, setting(server=ServerView()), None),
    ("the call was lost", Step.PLANNED, sent_late, Condemn),
    ("the call may still arrive", Step.PLANNED, listed_too_early, None),
    ("building", Step.BOOTING, setting(shown=shown(ServerStatus.BUILDING)), None),
    ("not listed yet", Step.BOOTING, setting(), None),
    ("active", Step.BOOTING, setting(shown=shown()), Advance),
    ("active without address", Step.BOOTING, setting(shown=shown(public_ipv4=None)), None),
    ("failed", Step.BOOTING, setting(shown=shown(ServerStatus.ERROR)), Condemn),
    ("vanished", Step.BOOTING, setting(missed=2), Condemn),
    ("missed once", Step.BOOTING, setting(missed=1), None),
    ("boots for too long", Step.BOOTING, slow_boot, Condemn),
    ("to be proven", Step.PROVING, setting(shown=shown()), Prove),
    ("proof under way", Step.PROVING, setting(shown=shown(), busy="prove"), None),
    ("again a little later", Step.PROVING, setting(shown=shown(), retry_s=NOW.mono_s + 1), None),
    ("proven", Step.PROVING, setting(shown=shown(), access=Access.PROVEN), MakeReady),
    ("adopted, address unknown", Step.PROVING, setting(), None),
    ("launch takes too long", Step.PROVING, old, Condemn),
    (
        "refused by its proof",
        Step.PROVING,
        setting(shown=shown(), refused=Refusal(result=Result.SSH, cause="no")),
        Condemn,
    ),
    ("ready and well", Step.DONE, setting(shown=shown()), None),
    ("ready, listed as stopped", Step.DONE, setting(shown=shown(ServerStatus.STOPPED)), Probe),
    ("ready, not listed", Step.DONE, setting(missed=2), Probe),
    ("ready, silent", Step.DONE, setting(refused=Refusal(result=None, cause="silent")), Condemn),
    ("dying", Step.CONDEMNED, setting(), DeleteServer),
    ("dying, refused before", Step.CONDEMNED, setting(asked_in=5), DeleteServer),
    (
        "dying, refused a moment ago",
        Step.CONDEMNED,
        setting(asked_in=5, delete_due_s=NOW.mono_s + 1),
        None,
    ),
    ("gone", Step.CONDEMNED, setting(state=DELETING, asked_in=4), RemoveRecords),
    ("not shown, but every call was refused", Step.CONDEMNED, setting(), DeleteServer),
    (
        "not shown by a listing that was begun before",
        Step.CONDEMNED,
        setting(state=DELETING, asked_in=5),
        None,
    ),
    (
        "still listed",
        Step.CONDEMNED,
        setting(state=DELETING, asked_in=4, shown=shown(ServerStatus.DELETING)),
        DeleteServer,
    ),
    (
        "evidence first",
        Step.CONDEMNED,
        setting(deletion=Deletion(failure=failed(NOW.mono_s + 1))),
        CollectEvidence,
    ),
    (
        "evidence under way",
        Step.CONDEMNED,
        setting(deletion=Deletion(failure=failed(NOW.mono_s + 1)), busy=EVIDENCE),
        None,
    ),
    (
        "evidence hangs",
        Step.CONDEMNED,
        setting(deletion=Deletion(failure=failed(NOW.mono_s)), busy=EVIDENCE),
        DeleteServer,
    ),
    ("never asked for", Step.CONDEMNED, ours_unsent, RemoveRecords),
    ("dying, call lost", Step.CONDEMNED, sent_late, RemoveRecords),
    ("dying, call may still arrive", Step.CONDEMNED, listed_too_early, None),
    ("record being read", Step.DONE, setting(stale=True), None),
    ("record not read yet", Step.DONE, setting(node=None, node_version=-1), None),
    (
        "record gone",
        Step.DONE,
        setting(node=None, node_version=-1, node_gone=True),
        Condemn,
    ),
    ("record unreadable", Step.DONE, setting(node=None), Condemn),
    (
        "record unreadable, in use",
        Step.DONE,
        setting(node=None, contenders=frozenset({"user"})),
        None,
    ),
]


@pytest.mark.parametrize(
    ("step", "change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_step_in_a_situation_calls_for_one_action(
    step: Step, change: Change, expected: type | None
) -> None:
    """The table is the specification."""
    made = world()
    view = add_node(made, 1, step=step)
    change(made, view)

    action = judged(made, view)

    assert expected is (None if action is None else type(action))


USERS: list[tuple[NodeState, bool, dict[str, Any], type | None]] = [
    (NodeState.READY, True, {}, None),
    (NodeState.READY, False, {"allocated_to": "200-1"}, Free),
    (NodeState.READY, True, {"allocated_to": "200-1"}, None),
    (NodeState.IN_USE, True, {"allocated_to": "200-1"}, None),
    (NodeState.IN_USE, False, {"allocated_to": "200-1"}, Condemn),
    (NodeState.USED, True, {"allocated_to": "200-1"}, None),
    (NodeState.USED, False, {"allocated_to": "200-1"}, Condemn),
    (NodeState.DELETING, True, {}, None),
    (NodeState.DELETING, False, {}, Condemn),
    (NodeState.FAILED, False, {}, Condemn),
    (NodeState.HOLD, False, {"allocated_to": "200-1"}, None),
    (NodeState.HOLD, True, {"allocated_to": "200-1"}, None),
]


@pytest.mark.parametrize(("state", "locked", "fields", "expected"), USERS)
def test_what_users_write_decides_about_a_node_that_was_ready(
    state: NodeState,
    locked: bool,  # noqa: FBT001
    fields: dict[str, Any],
    expected: type | None,
) -> None:
    """Nobody's machine dies: a lock or a hold keeps it, whatever else is written."""
    made = world()
    view = add_node(made, 1, state=state, **fields)
    view.server.shown = shown()
    if locked:
        know(view, contenders=view.lock.contenders | {"user"})

    action = judged(made, view)

    assert expected is (None if action is None else type(action))


def test_a_promised_node_is_kept_as_long_as_its_request_exists() -> None:
    """Read or not: what exists may have been fulfilled by a replica of ours."""
    made = world()
    request = add_request(made, 1)
    view = add_node(made, 1, allocated_to=request.id)
    exists = judged(made, view)
    made.queue.forget(request.id)
    made.queue.unread.add(request.id)
    unread = judged(made, view)
    made.queue.unread.clear()

    assert (exists, unread) == (None, None)
    assert isinstance(judged(made, view), Free)


@pytest.mark.parametrize(
    ("expiration", "ends"),
    [
        (60, True),
        (3600, False),
        (None, False),
        ((NOW.wall_s - 1) * 1000.0 + 1e12, False),
    ],
)
def test_a_hold_ends_with_its_time(
    expiration: float | None,
    ends: bool,  # noqa: FBT001
) -> None:
    """Seconds from its beginning, or epoch milliseconds."""
    made = world()
    view = add_node(made, 1, state=NodeState.HOLD)
    assert view.node is not None
    view.node = replace(view.node, hold_expiration=expiration, state_time_s=NOW.wall_s - 100.0)

    assert ends is isinstance(judged(made, view), Condemn)


def test_ready_nodes_age_and_are_looked_at_again() -> None:
    """Each at its time; the alarm is set for the next."""
    labels = {"small": {"max-ready-age": 60, "recheck": 30}}
    made = world(labels=labels)
    view = add_node(made, 1)
    view.look.checked_s, view.server.shown = NOW.mono_s, shown()
    fresh = judged(made, view)
    later = judged(made, view, Now(wall_s=NOW.wall_s + 30.0, mono_s=NOW.mono_s + 30.0))
    old_now = Now(wall_s=NOW.wall_s + 55.0, mono_s=NOW.mono_s + 55.0)

    assert fresh is None
    assert isinstance(later, Probe)
    assert isinstance(judged(made, view, old_now), Condemn)


def test_who_was_never_looked_at_is_looked_at_though_the_host_has_just_booted() -> None:
    """Monotonic time is near zero then; an adopted node has no look that we know of."""
    made = world(labels={"small": {"recheck": 300, "max-check-age": 300}})
    view = add_node(made, 1)
    booted = Now(wall_s=NOW.wall_s, mono_s=2.0)
    rechecked = judged(made, view, booted)
    request = add_request(made, 1, seen_s=booted.mono_s)

    assert isinstance(rechecked, Probe)
    plan = think(made, booted)
    assert of_kind(plan, Probe, Allocate) == [Probe(node=view.id, request=request.id)]


def test_alarms_are_set_for_what_becomes_due() -> None:
    """A booting node sets the end of its time."""
    made = world()
    view = add_node(made, 1, step=Step.BOOTING)
    view.server.shown = shown(ServerStatus.BUILDING)
    made.touch_node(view)

    due = [alarm.due_s for alarm in think(made).alarms if alarm.name == view.id]

    assert NOW.mono_s + 590.0 == min(due)


@pytest.mark.parametrize(
    ("owner", "lives", "adopted"), [("other", True, False), ("other", False, True)]
)
def test_launches_of_the_dead_are_taken_over(
    owner: str,
    lives: bool,  # noqa: FBT001
    adopted: bool,  # noqa: FBT001
) -> None:
    """As long as the owner lives nobody else touches them."""
    made = world()
    if lives:
        add_replica(made, "here", owner)
    view = add_node(made, 1, owner=owner, state=NodeState.USED)

    assert adopted is isinstance(judged(made, view), Adopt)


def test_of_the_living_one_takes_over() -> None:
    """The same for everybody."""
    adopters = []
    for me in ("one", "two", "three"):
        made = world()
        made.peers.replicas["here"].pop(ME)
        for name in ("one", "two", "three"):
            add_replica(made, "here", name)
        made.peers.me = me  # type: ignore[assignment]
        view = add_node(made, 1, owner="dead")
        adopters += [me] if judged(made, view) else []

    assert len(adopters) == 1


def test_a_label_that_is_configured_no_more_ends_idle_and_coming_nodes() -> None:
    """Those in use stay until they are given back."""
    made = world()
    idle, coming, used = (
        add_node(made, 1),
        add_node(made, 2, step=Step.BOOTING),
        add_node(made, 3, state=NodeState.IN_USE, allocated_to="200-1"),
    )
    know(used, contenders=used.lock.contenders | {"user"})
    made.touch_node(used)
    made.policy = replace(made.policy, making={})

    found = {action.node for action in of_kind(think(made), Condemn)}

    assert {idle.id, coming.id} == found
