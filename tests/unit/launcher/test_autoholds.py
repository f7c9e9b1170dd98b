"""Holds that wait for a failure: fired once each, never with the last room of a pool."""

from dataclasses import replace
from typing import Any, Final

import pytest

from launcher.hold.actions import DropAutohold, KeepNode, NoteHold
from launcher.hold.owners import OTHERS, OWNERS_MAX, held_by
from launcher.hold.view import Autoholds
from launcher.hold.writes import keep_node, note_hold
from launcher.node.actions import Condemn
from launcher.node.view import NodeView
from launcher.world import World
from remuda.config.holds import HoldsFrom
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.autohold import Autohold, Fired, decode_autohold, encode_autohold
from remuda.model.codec import CorruptRecordError
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdwish import wish_of
from remuda.model.ids import NodeId, RequestId
from remuda.model.jobreport import job_report, report_fields
from remuda.model.node import NodeState
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Dirty, Put, Set, Stored
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world

AUTOHOLD: Final = Autohold(
    id="a1",
    owner="ada",
    reason="flaky",
    count=2,
    for_s=3600.0,
    made_s=1.0,
    until_s=NOW.wall_s + 100.0,
    label="sm*",
    keys=("grace", "ssh-ed25519 AAAA"),
)
FAILED: Final = report_fields(job_report(ok=False, why="exit code 1", at_s=NOW.wall_s))


def put(autohold: Autohold, version: int = 3) -> Put:
    """Return how a mirror tells of an autohold."""
    path = paths.autohold(autohold.id)
    stored = Stored(path=path, value=encode_autohold(autohold), version=version)
    return Put(path=path, stored=stored)


def waiting(*autoholds: Autohold, room: int = 10, **rules: Any) -> World:
    """Return a world in which autoholds wait."""
    made = world(pools={"main": {"max-servers": room}})
    made.policy = replace(made.policy, holds=HoldsFrom.model_validate(rules))
    for one in autoholds or (AUTOHOLD,):
        made.autoholds.take(put(one))
    return made


def failed(made: World, number: int = 1, **fields: Any) -> NodeView:
    """Add a node whose job has failed and has let it go, and is counted."""
    said = {"requestor": "ci-7", **FAILED, **fields}
    state = said.pop("state", NodeState.USED)
    return add_node(made, number, state=state, launch={"reported": "failed"}, **said)


def fate(made: World, *kinds: type) -> list[Any]:
    """Return what is planned for nodes."""
    return of_kind(think(made), *(kinds or (KeepNode, Condemn, NoteHold)))


@pytest.mark.parametrize("state", [NodeState.USED, NodeState.IN_USE])
def test_a_failed_machine_is_kept_and_counted_down(state: NodeState) -> None:
    """In one transaction, with the keys that its people want."""
    made = waiting()
    view = failed(made, state=state)
    (action,) = fate(made)
    assert isinstance(action, KeepNode)
    assert (action.fires, action.hold.autohold, action.hold.owner) == ("a1", "a1", "ada")
    assert action.hold.ends_s == NOW.wall_s + 3600.0
    ops = {
        one.path: one
        for one in keep_node(made, view, action, now_s=NOW.wall_s)
        if isinstance(one, Set)
    }
    fired = ops[paths.autohold("a1")]
    after = decode_autohold("a1", fired.data)
    assert (fired.version, after.left) == (3, 1)
    assert after.fired == (Fired(node=view.id, provider="here", at_s=NOW.wall_s),)
    wish = wish_of(nodes.decode(view.id, ops[paths.node(view.id)].data))
    assert wish is not None
    assert wish.for_s is None
    assert [(one.developer, one.line) for one in wish.keys] == [
        ("grace", None),
        (None, "ssh-ed25519 AAAA"),
    ]


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"remuda_report": None}, {}),
        ({"remuda_report": {"ok": True}}, {}),
        ({}, {"label": "large"}),
        ({}, {"requestor": "zuul*"}),
        ({}, {"job": "unit"}),
        ({}, {"until_s": NOW.wall_s}),
        ({}, {"count": 1, "fired": (Fired(node=NodeId("1"), provider="p", at_s=1.0),)}),
    ],
)
def test_what_no_autohold_waits_for_goes(fields: dict[str, Any], change: dict[str, Any]) -> None:
    """A job that went well, or of which nobody knows; another label; one that is over."""
    made = waiting(replace(AUTOHOLD, **change))
    failed(made, **fields)
    assert [type(one) for one in fate(made)] == [Condemn]


def test_a_job_is_meant_by_its_name() -> None:
    """As its launcher or its user has written it."""
    made = waiting(replace(AUTOHOLD, job="unit*"))
    failed(made, remuda_job={"job": "unit-3"})
    assert [type(one) for one in fate(made)] == [KeepNode]


@pytest.mark.parametrize(
    ("room", "rules", "why"),
    [
        (1, {}, "the last room is for requests"),
        (2, {"autohold": {"keep-free": 2}}, "the last room is for requests"),
        (10, {"max": 0}, "(holds: max)"),
        (10, {"max-per-owner": 0}, "(holds: max-per-owner)"),
    ],
)
def test_the_last_room_of_a_pool_is_for_requests(
    room: int, rules: dict[str, Any], why: str
) -> None:
    """And limits hold for autoholds, too: the machine goes, and the log says why."""
    made = waiting(room=room, **rules)
    failed(made)
    (action,) = fate(made)
    assert isinstance(action, Condemn)
    assert "autohold a1 does not keep it" in action.cause
    assert why in action.cause
    assert [type(one) for one in fate(waiting(room=1, autohold={"keep-free": 0}))] == []


def test_where_a_request_waits_for_room_nothing_is_kept() -> None:
    """Smaller ones may not overtake it either."""
    made = waiting()
    failed(made)
    made.blocked["main"] = RequestId("200-1")
    (action,) = fate(made)
    assert "request 200-1 waits for room" in action.cause
    made.policy = replace(made.policy, max_hold_age_s=60.0)
    made.blocked.clear()
    (action,) = fate(made)
    assert "no hold is longer than 1m" in action.cause


def test_one_machine_at_a_time_is_counted() -> None:
    """The other waits for a moment: else it would be rejected, or be one too many."""
    made = waiting(replace(AUTOHOLD, count=1))
    failed(made, 1)
    failed(made, 2)
    plan = think(made)
    (action,) = of_kind(plan, KeepNode, Condemn)
    assert action.node == "0000000001"
    assert "0000000002" in {one.name for one in plan.alarms}


def test_the_oldest_of_several_fires() -> None:
    """Whoever has waited longer."""
    made = waiting(AUTOHOLD, replace(AUTOHOLD, id="a0", made_s=2.0))
    failed(made)
    assert fate(made)[0].fires == "a1"


def test_a_scheduler_that_holds_a_failed_job_fires_it() -> None:
    """Zuul's own end stays."""
    made = waiting(replace(AUTOHOLD, job="unit"))
    zuul = {"user_data": {"zuul_system": "z"}, "hold_job": "unit", "remuda_report": None}
    view = failed(made, state=NodeState.HOLD, **zuul)
    assert view.node is not None
    view.node = replace(view.node, hold_expiration=60.0)
    (action,) = fate(made)
    assert isinstance(action, NoteHold)
    assert (action.fires, action.hold.autohold) == ("a1", "a1")
    assert action.hold.ends_s == NOW.wall_s + 55.0
    ops = note_hold(made, view, action, now_s=NOW.wall_s)
    assert paths.autohold("a1") in {one.path for one in ops}


def test_what_was_over_long_ago_is_removed() -> None:
    """A week after its end, or after the last machine."""
    week_s = 7 * 86_400.0
    later = Now(wall_s=NOW.wall_s + week_s + 100.0, mono_s=NOW.mono_s + week_s + 100.0)
    done = (Fired(node=NodeId("1"), provider="p", at_s=NOW.wall_s),)
    full = replace(AUTOHOLD, id="a2", count=1, fired=done, until_s=later.wall_s + 9.0)
    made = waiting(AUTOHOLD, full, replace(AUTOHOLD, id="a3", until_s=later.wall_s))
    assert fate(made, DropAutohold) == []
    assert of_kind(think(made, later), DropAutohold) == [
        DropAutohold(autohold="a1", version=3),
        DropAutohold(autohold="a2", version=3),
    ]


def test_what_mirrors_tell_of_autoholds_is_taken_in() -> None:
    """What cannot be read holds nothing."""
    known = Autoholds()
    known.take(put(AUTOHOLD))
    known.take(Dirty(path=paths.autohold("a1")))
    assert known.stored["a1"].value == AUTOHOLD
    bad = Stored(path=paths.autohold("a1"), value=b"{}", version=4)
    with pytest.raises(CorruptRecordError):
        known.take(Put(path=bad.path, stored=bad))
    assert known.stored == {}


@pytest.mark.parametrize(
    "strange",
    [{"id": "two words"}, {"id": "\u00e9"}, {"id": "x" * 201}, {"keys": ("x" * 256,)}],
    ids=["words", "letters", "length", "key"],
)
def test_what_records_of_machines_could_not_hold_is_refused(strange: dict[str, Any]) -> None:
    """An id is copied into the launch record: one that is none would make that unreadable."""
    known = Autoholds()
    with pytest.raises(CorruptRecordError):
        known.take(put(replace(AUTOHOLD, **strange)))
    assert known.stored == {}


def test_the_longest_that_an_autohold_may_say_is_read_from_the_records_of_its_machine() -> None:
    """Whatever fires leaves records that can be read."""
    longest = replace(
        AUTOHOLD,
        id="x" * 200,
        owner="o" * 9999,
        reason="\u00e9\n" * 9999,
        keys=("d" * 255,) * 15 + ("ssh-rsa " + "A" * 4088,),
    )
    made = waiting(longest)
    view = failed(made)
    (action,) = fate(made)
    ops = {
        one.path: one.data
        for one in keep_node(made, view, action, now_s=NOW.wall_s)
        if isinstance(one, Set)
    }
    wish = wish_of(nodes.decode(view.id, ops[paths.node(view.id)]))
    assert wish is not None
    assert len(wish.keys) == 16
    hold = launches.decode(view.id, ops[paths.launch("here", view.id)]).hold
    assert hold is not None
    assert hold.autohold == longest.id


def test_gauges_name_the_owners_who_have_most() -> None:
    """The others together; ages in a few words."""
    made = waiting()
    for number in range(1, OWNERS_MAX + 3):
        owner = "ada" if number < 3 else f"o{number:02}"
        add_node(made, number, state=NodeState.HOLD, hold_job=owner)
    hold = Hold(owner="eve", reason="", source=HoldSource.ASKED, for_s=60.0)
    add_node(made, 90, state=NodeState.IN_USE, launch={"hold": hold})
    told = held_by(made, NOW)
    assert told["ada", "hour"] == 2
    assert told["eve", "granted"] == 1
    assert sum(count for (owner, _), count in told.items() if owner == OTHERS) == 2
    later = held_by(made, Now(wall_s=NOW.wall_s + 8 * 86_400.0, mono_s=NOW.mono_s))
    assert later["ada", "longer"] == 2
