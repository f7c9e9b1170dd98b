"""Machines that are kept for people: granted by our limits, kept to their end, gone after it."""

from dataclasses import replace
from typing import Any, Final

import pytest

from launcher.actions import Action
from launcher.hold.actions import AnswerHold, KeepNode, LookIn, NoteHold
from launcher.hold.granting import NOT_HELD
from launcher.hold.writes import answer_hold, keep_node, note_hold
from launcher.node.actions import Condemn
from launcher.node.view import LockView, NodeView
from launcher.world import World
from remuda.config.holds import HoldsFrom
from remuda.model import node as nodes
from remuda.model.capture import Capture, CaptureAsk
from remuda.model.hold import Extension, Hold, HoldSource
from remuda.model.holdwish import ExtendWish, HoldWish, wish_fields
from remuda.model.node import NodeState
from remuda.runtime.now import Now
from remuda.store import paths
from remuda.store.api import Check, Set
from tests.unit.launcher.test_lifecycle import shown
from tests.unit.launcher.worlds import NOW, add_node, of_kind, think, world

CONTENDER: Final = f"{'0' * 32}__lock__0000000000"
WISH: Final = HoldWish(
    token="t1", owner="ada", reason="red", at_s=NOW.wall_s, for_s=3600.0, contender=CONTENDER
)
GRANTED: Final = Hold(
    owner="ada", reason="red", source=HoldSource.ASKED, for_s=3600.0, asked_token="t1"
)
HELD: Final = replace(
    GRANTED, since_s=NOW.wall_s - 5.0, ends_s=NOW.wall_s + 3595.0, latest_s=NOW.wall_s + 9000.0
)
ACTIONS: Final = (AnswerHold, KeepNode, NoteHold, LookIn, Condemn)


def ruled(*, most_s: float | None = None, **rules: Any) -> World:
    """Return a world with rules for holds."""
    made = world()
    holds = HoldsFrom.model_validate(rules)
    made.policy = replace(made.policy, holds=holds, max_hold_age_s=most_s)
    return made


def wished(made: World, wish: HoldWish = WISH, number: int = 1, **fields: Any) -> NodeView:
    """Add a node in use, under its lock, whose holder wishes that it be kept."""
    said = {"requestor": "ada", **wish_fields(wish), **fields}
    view = add_node(made, number, state=NodeState.IN_USE, allocated_to="200-1", **said)
    view.lock = LockView(exists=True, contenders=frozenset({CONTENDER}))
    made.touch_node(view)
    return view


def held(made: World, hold: Hold | None = HELD, number: int = 1, **fields: Any) -> NodeView:
    """Add a node in state hold."""
    view = add_node(
        made, number, state=NodeState.HOLD, launch={"hold": hold, "reported": "failed"}, **fields
    )
    view.server.shown = shown()
    made.touch_node(view)
    return view


def next_of(made: World, view: NodeView, now: Now = NOW) -> Action | None:
    """Return the one action for a node, if any."""
    found = [one for one in of_kind(think(made, now), *ACTIONS) if one.node == view.id]
    assert len(found) <= 1
    return found[0] if found else None


def at(seconds: float) -> Now:
    """Return a moment after now."""
    return Now(wall_s=NOW.wall_s + seconds, mono_s=NOW.mono_s + seconds)


def noted(made: World, view: NodeView, now: Now = NOW) -> NoteHold:
    """Return what is written of a hold."""
    found = next_of(made, view, now)
    assert isinstance(found, NoteHold)
    return found


def test_a_wish_is_granted_to_who_holds_the_lock() -> None:
    """The job keeps the machine: the hold begins when it lets go."""
    made = ruled()
    view = wished(made)
    found = next_of(made, view)
    assert found == AnswerHold(node=view.id, hold=GRANTED, contender=CONTENDER)
    ops = answer_hold(made, view, found)
    assert Check(path=f"{paths.node_lock(view.id)}/{CONTENDER}") in ops
    assert Check(path=paths.node(view.id), version=1) in ops


@pytest.mark.parametrize(
    ("change", "rules", "why"),
    [
        ({"contender": "x__lock__0000000000"}, {}, NOT_HELD),
        ({"contender": None}, {}, NOT_HELD),
        ({"for_s": 7200.0}, {"most_s": 3600.0}, "no hold is longer than 1h (max-hold-age)"),
        ({}, {"max": 0}, "here keeps 0 held machines already, the limit is 0 (holds: max)"),
        ({}, {"max-per-owner": 0}, "ada has 0 held machines already"),
        ({}, {"max-per-label": 0}, "of label small there are 0 held machines already"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_it(
    change: dict[str, Any], rules: dict[str, Any], why: str
) -> None:
    """And needs no proof."""
    made = ruled(**rules)
    found = next_of(made, wished(made, replace(WISH, **change)))
    assert isinstance(found, AnswerHold)
    assert found.contender is None
    assert found.hold.refused is not None
    assert why in found.hold.refused


def test_who_does_not_say_how_long_gets_the_default() -> None:
    """As far as the operator's maximum allows."""
    wish = replace(WISH, for_s=0.0)
    for most_s, for_s in ((None, 7200.0), (600.0, 600.0)):
        made = ruled(most_s=most_s, **{"default-for": "2h"})
        found = next_of(made, wished(made, wish))
        assert isinstance(found, AnswerHold)
        assert (found.hold.for_s, found.hold.refused) == (for_s, None)


def test_limits_count_what_is_kept_and_what_is_granted() -> None:
    """One at a time: who comes second waits until the first is on record."""
    made = ruled(**{"max-per-owner": 2})
    held(made, number=5)
    first, second = wished(made, number=1), wished(made, replace(WISH, token="t2"), number=2)
    plan = think(made)
    (granted,) = of_kind(plan, AnswerHold)
    assert (granted.node, granted.hold.refused) == (first.id, None)
    assert plan.uncounted == {second.id}
    assert first.launch is not None
    first.launch = replace(first.launch, hold=granted.hold)
    made.touch_node(first)
    (refused,) = of_kind(think(made), AnswerHold)
    assert refused.node == second.id
    assert "ada has 2 held machines already" in (refused.hold.refused or "")


def test_a_machine_of_which_an_image_is_made_is_not_kept() -> None:
    """It is stopped by that."""
    made = ruled()
    view = wished(made)
    ask = CaptureAsk(image="i", token="c", contender=CONTENDER, at_s=1.0)
    assert view.launch is not None
    view.launch = replace(view.launch, capture=Capture(ask=ask, requestor="ada"))
    found = next_of(made, view)
    assert isinstance(found, AnswerHold)
    assert "an image is made of it" in (found.hold.refused or "")


def test_a_wish_is_answered_once() -> None:
    """Another one after a refusal is answered anew; a wish without a time asks for nothing."""
    made = ruled()
    view = wished(made)
    assert view.launch is not None
    view.launch = replace(view.launch, hold=GRANTED)
    assert next_of(made, view) is None
    view.launch = replace(view.launch, hold=replace(GRANTED, asked_token="t0", refused="no"))
    assert isinstance(next_of(made, view), AnswerHold)
    assert next_of(ruled(), wished(ruled(), replace(WISH, for_s=None))) is None


@pytest.mark.parametrize("state", [NodeState.USED, NodeState.IN_USE])
def test_what_was_granted_is_kept_when_the_job_lets_go(state: NodeState) -> None:
    """Given back, or its session over."""
    made = ruled(most_s=1800.0)
    view = wished(made)
    assert view.launch is not None
    assert view.node is not None
    view.launch, view.lock = replace(view.launch, hold=GRANTED), LockView(exists=True)
    view.node = replace(view.node, state=state)
    made.touch_node(view)
    found = next_of(made, view)
    assert isinstance(found, KeepNode)
    assert (found.hold.since_s, found.hold.ends_s) == (NOW.wall_s, NOW.wall_s + 1800.0)
    assert found.hold.bounded is not None
    ops = keep_node(made, view, found, now_s=NOW.wall_s)
    (written,) = [
        nodes.decode(view.id, one.data)
        for one in ops
        if isinstance(one, Set) and one.path == paths.node(view.id)
    ]
    assert (written.state, written.hold_expiration) == (NodeState.HOLD, 1800.0)
    assert (written.doc["hold_job"], written.doc["comment"]) == ("ada", "red")


@pytest.mark.parametrize("hold", [None, replace(GRANTED, refused="no"), HELD])
def test_what_was_not_granted_or_was_kept_before_goes(hold: Hold | None) -> None:
    """A held machine that is given back is never held again."""
    made = ruled()
    view = wished(made)
    assert view.launch is not None
    assert view.node is not None
    view.launch, view.lock = replace(view.launch, hold=hold), LockView()
    view.node = replace(view.node, state=NodeState.USED)
    assert isinstance(next_of(made, view), Condemn)


def test_nothing_is_deleted_before_its_end_and_all_of_it_after() -> None:
    """But for what is locked."""
    made = ruled(**{"warn-before": 0, "extend": {"times": 0}})
    view = held(made)
    plan = think(made)
    assert of_kind(plan, *ACTIONS) == []
    assert [a.due_s for a in plan.alarms if a.name == view.id] == [NOW.mono_s + 3595.0]
    assert next_of(made, view, at(3594.9)) is None
    assert isinstance(next_of(made, view, at(3595.0)), Condemn)
    view.lock = LockView(exists=True, contenders=frozenset({CONTENDER}))
    assert next_of(made, view, at(3595.0)) is None


@pytest.mark.parametrize(
    ("fields", "expiration", "source", "ends"),
    [
        ({"user_data": {"zuul_system": "z"}, "hold_job": "unit"}, 60.0, HoldSource.ZUUL, 55.0),
        ({"build_id": "job#1"}, (NOW.wall_s + 90.0) * 1000.0, HoldSource.REQUESTOR, None),
        ({"build_id": "job#1"}, 60.0, HoldSource.JENKINS, 55.0),
        ({}, 60.0, HoldSource.REQUESTOR, 55.0),
        ({}, None, HoldSource.REQUESTOR, 86_400.0),
    ],
)
def test_holds_of_others_are_put_on_record(
    fields: dict[str, Any], expiration: float | None, source: HoldSource, ends: float | None
) -> None:
    """With an end, also if they have none."""
    made = ruled()
    view = held(made, None, requestor="zuul", comment="look", **fields)
    assert view.node is not None
    view.node = replace(view.node, hold_expiration=expiration)
    if ends is None:
        return  # such a number is no point in time after 1973
    found = noted(made, view).hold
    assert (found.source, found.ends_s, found.reason) == (source, NOW.wall_s + ends, "look")
    assert found.owner == fields.get("hold_job", "zuul")
    assert (found.bounded is None) is (expiration is not None)


def test_holds_of_others_beyond_a_limit_end_after_the_warning() -> None:
    """The oldest stay; the operator's maximum counts from their beginning."""
    made = ruled(**{"max": 1, "warn-before": "10m"})
    old, new = held(made, None, 1), held(made, None, 2)
    for view, since_s in ((old, 500.0), (new, 100.0)):
        assert view.node is not None
        since = NOW.wall_s - since_s
        view.node = replace(view.node, state_time_s=since, hold_expiration=7200.0)
    first, second = noted(made, old).hold, noted(made, new).hold
    assert (first.ends_s, first.bounded) == (NOW.wall_s + 6700.0, None)
    assert second.ends_s == NOW.wall_s + 600.0
    assert "(holds: max)" in (second.bounded or "")
    made.policy = replace(made.policy, max_hold_age_s=3600.0)
    assert noted(made, old).hold.ends_s == NOW.wall_s + 3100.0


def test_an_end_that_moves_is_written_where_everybody_reads_it() -> None:
    """As seconds from the last change of state."""
    made = ruled(most_s=600.0)
    view = held(made, None)
    assert view.node is not None
    view.node = replace(view.node, hold_expiration=9000.0)
    ops = note_hold(made, view, noted(made, view), now_s=NOW.wall_s)
    (written,) = [
        nodes.decode(view.id, one.data)
        for one in ops
        if isinstance(one, Set) and one.path == paths.node(view.id)
    ]
    assert written.hold_expiration == 600.0


def extend(**change: Any) -> dict[str, Any]:
    """Return the fields of a node that is wished to be kept for longer."""
    one = ExtendWish(**{"token": "e1", "by": "ada", "for_s": 0.0, "at_s": NOW.wall_s, **change})
    return wish_fields(replace(WISH, extend=(one,)))


def test_its_owner_extends_a_hold_once() -> None:
    """As far as the operator's maximum; the wish is answered once."""
    made = ruled(extend={"by": "1h"})
    view = held(made, **extend())
    found = noted(made, view)
    assert found.news == ("hold.extended",)
    assert found.hold.ends_s == NOW.wall_s + 7195.0
    assert view.launch is not None
    view.launch = replace(view.launch, hold=found.hold)
    assert next_of(made, view) is None
    assert view.node is not None
    view.node = view.node.with_fields(**extend(token="e2"))
    again = noted(made, view).hold
    assert again.ends_s == found.hold.ends_s
    assert "extended once at most" in (again.extended[-1].refused or "")
    assert len(again.extended) == 2


@pytest.mark.parametrize(
    ("change", "hold", "why"),
    [
        ({"by": "eve"}, {}, "it is held for ada: only they, or an operator"),
        ({"for_s": 90_000.0}, {}, "by 8h at most"),
        ({}, {"latest_s": HELD.ends_s}, "the operator's maximum already"),
    ],
)
def test_an_extension_that_breaks_a_rule_is_refused_with_it(
    change: dict[str, Any], hold: dict[str, Any], why: str
) -> None:
    """The end stays."""
    made = ruled()
    found = noted(made, held(made, replace(HELD, **hold), **extend(**change)))
    assert found.news == ("hold.not_extended",)
    assert found.hold.ends_s == HELD.ends_s
    assert why in (found.hold.extended[-1].refused or "")


@pytest.mark.parametrize(
    ("hold", "granted"),
    [
        ({"source": HoldSource.AUTOHOLD}, False),
        ({"owner": "unit-tests", "source": HoldSource.ZUUL}, True),
        ({"owner": ""}, True),
    ],
)
def test_who_had_a_node_in_use_extends_its_hold_only_if_it_is_nobody_elses(
    *, hold: dict[str, Any], granted: bool
) -> None:
    """An autohold's machine is of its owner; Zuul names a job, which is nobody."""
    made = ruled()
    found = noted(made, held(made, replace(HELD, **hold), requestor="ci", **extend(by="ci")))
    assert (found.hold.extended[-1].refused is None) is granted


def test_operators_extend_the_holds_of_others() -> None:
    """By the names of the configuration."""
    made = ruled(operators=["op-.*"])
    found = noted(made, held(made, **extend(by="op-1")))
    assert (found.hold.ends_s or 0) > (HELD.ends_s or 0)


def test_refusals_never_crowd_out_what_was_granted() -> None:
    """Or somebody could extend without end."""
    made = ruled(extend={"by": "1h"})
    granted = Extension(token="e0", by="ada", at_s=1.0, ends_s=HELD.ends_s or 0.0)
    view = held(made, replace(HELD, extended=(granted,)))
    assert view.node is not None
    assert view.launch is not None
    for number in range(30):
        view.node = view.node.with_fields(**extend(token=f"x{number}"))
        view.launch = replace(view.launch, hold=noted(made, view).hold)
    hold = view.launch.hold
    assert hold is not None
    assert hold.extended[0] == granted
    assert len(hold.extended) == 2


def test_a_thousand_holds_cost_nothing_at_idle() -> None:
    """A turn in which something else is judged looks at none of them; each has one alarm."""
    made = ruled(**{"warn-before": "30m"})
    views = [held(made, number=number) for number in range(1, 1001)]
    made.take_agenda()
    everything = think(made)
    alarms = [one for one in everything.alarms if one.kind == "node"]
    assert of_kind(everything, *ACTIONS) == []
    assert len(alarms) == len(views)
    assert {one.due_s for one in alarms} == {NOW.mono_s + 1795.0}
    made.cloud.listed_s = NOW.mono_s + 60.0
    quiet = think(made, at(60.0), everything=False)
    assert (of_kind(quiet, *ACTIONS), [one for one in quiet.alarms if one.kind == "node"]) == (
        [],
        [],
    )
