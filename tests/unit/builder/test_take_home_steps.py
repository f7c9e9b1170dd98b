"""The next step of each image that a held machine becomes."""

from dataclasses import replace
from typing import Any, Final

import pytest

from builder.actions import Plan
from builder.takehome import lifecycle
from builder.takehome.actions import EndTakeHome, KeepTakeHome, MakeTakeHome, name_of, subject
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.takehome import (
    TakeHome,
    TakeHomeState,
)
from tests.unit.builder.handbench import ME
from tests.unit.builder.judging import NOW_S, world
from tests.unit.builder.test_take_home import WISH

ONE: Final = TakeHome(
    node=NodeId("3000000001"),
    state=TakeHomeState.ASKED,
    wish=WISH,
    provider="p",
    pool="main",
    label="small",
    since_s=NOW_S,
)


def planned(one: TakeHome, **more: Any) -> Plan:
    """Return what is planned."""
    plan = Plan()
    lifecycle.step(world([], take_homes={one.node: one}, **more), plan)
    return plan


MAKING: Final = replace(ONE, state=TakeHomeState.MAKING, owner=ME)
WHOLE: Final = replace(ONE, state=TakeHomeState.WHOLE, ends_s=NOW_S + 60.0)
ENDING: Final = replace(WHOLE, state=TakeHomeState.ENDING)
FAILED: Final = replace(ONE, state=TakeHomeState.FAILED)


@pytest.mark.parametrize(
    ("one", "more", "kind"),
    [
        (ONE, {}, MakeTakeHome),
        (ONE, {"mine": lambda _: False}, None),
        (ONE, {"away": {"p": "away"}}, None),
        (replace(ONE, provider="unknown"), {}, None),
        (ONE, {"busy": frozenset({name_of(ONE.node)})}, None),
        (ONE, {"take_home_ends": frozenset({ONE.node})}, EndTakeHome),
        (MAKING, {}, MakeTakeHome),
        (replace(MAKING, owner=ReplicaId("dead")), {}, MakeTakeHome),
        (replace(MAKING, owner=ReplicaId("dead")), {"mine": lambda _: False}, None),
        (MAKING, {"take_home_ends": frozenset({ONE.node})}, MakeTakeHome),
        (WHOLE, {}, None),
        (WHOLE, {"now_s": NOW_S + 60.0}, EndTakeHome),
        (WHOLE, {"take_home_ends": frozenset({ONE.node})}, EndTakeHome),
        (ENDING, {}, None),
        (ENDING, {"take_home_ends": frozenset({ONE.node})}, None),
        (ENDING, {"now_s": NOW_S + lifecycle.END_AGAIN_S}, EndTakeHome),
        (replace(ENDING, since_s=NOW_S + 1e6), {}, EndTakeHome),
        (WHOLE, {"take_home_more": frozenset({ONE.node})}, KeepTakeHome),
        (WHOLE, {"take_home_more": frozenset({ONE.node}), "now_s": NOW_S + 60.0}, EndTakeHome),
        (FAILED, {"take_home_more": frozenset({ONE.node})}, None),
        (FAILED, {}, None),
        (FAILED, {"now_s": NOW_S + WISH.for_s}, EndTakeHome),
    ],
)
def test_each_has_its_next_step(one: TakeHome, more: dict[str, Any], kind: type | None) -> None:
    """Made by one builder, ended in its time."""
    plan = planned(one, **more)
    assert [type(action) for action in plan.actions] == ([] if kind is None else [kind])


def test_what_waits_says_why_and_what_is_there_wakes_at_its_end() -> None:
    """Nobody looks in vain."""
    assert planned(ONE, away={"p": "away"}).waits == {name_of(ONE.node): "away"}
    assert planned(WHOLE).wake_at_s == NOW_S + 60.0
    assert planned(replace(WHOLE, ends_s=None)).wake_at_s is None
    assert planned(ENDING).wake_at_s == NOW_S + lifecycle.END_AGAIN_S
    assert subject(MakeTakeHome(id=ONE.node)) == name_of(ONE.node)
