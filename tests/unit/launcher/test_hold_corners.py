"""Holds at their edges: over when first seen, of a pool that is gone, of machines that are lost."""

from dataclasses import replace

import pytest

from launcher.actions import Plan
from launcher.hold import showing
from launcher.hold.actions import AnswerHold, LookIn, NoteHold
from launcher.hold.extending import by_login, extended
from launcher.hold.granting import answer
from launcher.hold.holding import only_answers
from launcher.hold.limits import over_limit
from launcher.hold.orders import order
from launcher.hold.view import Visit
from launcher.node.actions import Condemn
from launcher.policy import compile_policy
from remuda.config.model import Config
from remuda.model.holdwish import ExtendWish, HoldWish, wish_fields
from remuda.model.imageask import ImageUse, image_label
from tests.unit.launcher.test_autoholds import failed, fate, waiting
from tests.unit.launcher.test_holds import (
    GRANTED,
    HELD,
    NOW,
    at,
    held,
    next_of,
    noted,
    ruled,
    wished,
)
from tests.unit.launcher.worlds import document


def test_of_a_pool_that_is_gone_nothing_is_kept() -> None:
    """Nobody can say what its last room is."""
    made = waiting()
    failed(made)
    made.policy = replace(made.policy, pools={})
    (action,) = fate(made)
    assert isinstance(action, Condemn)
    assert "its pool is not configured any more" in action.cause


def test_who_is_logged_in_at_the_end_gets_no_time_that_nobody_may_have() -> None:
    """`extend: times: 0` is for everybody."""
    made = ruled(extend={"times": 0})
    assert by_login(made, HELD, NOW.wall_s) == HELD


def test_what_is_over_is_not_extended() -> None:
    """However soon after its end somebody asks."""
    more = ExtendWish(token="e", by="ada", for_s=0.0, at_s=NOW.wall_s)
    wish = HoldWish(token="t", owner="ada", reason="", at_s=NOW.wall_s, extend=(more,))
    made = ruled()
    view = held(made, **wish_fields(wish))
    assert view.node is not None
    after = extended(made, HELD, view.node, at(3600.0))
    assert (after.ends_s, after.extended[-1].refused) == (HELD.ends_s, "it is over")


def test_a_builder_s_machine_is_not_kept() -> None:
    """Its image would wait for it."""
    made = ruled()
    view = wished(made)
    assert view.node is not None
    assert view.launch is not None
    view.launch = replace(view.launch, label=image_label("debian", ImageUse.MAKE))
    found = answer(made, view, view.node, NOW, Plan())
    assert found is not None
    assert found.hold.refused == "it is a builder's machine"


def test_a_granted_hold_begins_where_its_node_is_held_by_another_s_word() -> None:
    """With the end that was granted."""
    found = noted(made := ruled(), held(made, GRANTED))
    assert found.news == ("hold.begun",)
    assert found.hold.ends_s == NOW.wall_s + 3600.0


def test_what_is_over_when_it_is_seen_first_goes() -> None:
    """A launcher that was away makes nothing longer."""
    made = ruled()
    view = held(made, None, hold_job="ada")
    assert view.node is not None
    view.node = replace(view.node, hold_expiration=1.0, state_time_s=NOW.wall_s - 3600.0)
    assert next_of(made, view) == Condemn(node=view.id, cause="its hold is over")


def test_a_hold_that_has_not_begun_has_no_answers() -> None:
    """While an image is made of it, or not."""
    made = ruled()
    for before in (None, GRANTED):
        view = held(made, before)
        assert view.node is not None
        assert only_answers(made, view, view.node, NOW) is None


def test_a_server_that_is_gone_is_said_and_the_hold_goes_on() -> None:
    """Nothing is deleted before its end, nor called back into a pool."""
    made = ruled()
    view = held(made)
    view.server.missed = 2
    found = noted(made, view)
    assert found.news == ("hold.lost",)
    assert found.hold.lost == "the cloud does not show its server any more"


def test_refused_wishes_of_the_same_plan_count_for_nobody() -> None:
    """Those that are granted do; and what was refused while it is held counts by its record."""
    made = ruled(max=1)
    view, other = held(made), held(made, replace(GRANTED, refused="no"), 2, hold_job="bob")
    plan = Plan()
    plan.do(AnswerHold(node=other.id, hold=replace(GRANTED, refused="no"), contender=None))
    assert over_limit(made, other, "ada", plan) is not None
    assert over_limit(made, view, "ada", plan) is not None
    other.node = None
    assert over_limit(made, view, "ada", plan) is None
    plan.do(NoteHold(node=other.id, hold=HELD))
    assert over_limit(made, view, "ada", plan) is not None


@pytest.mark.parametrize("seen_s", [-4000.0, 0.0, 9.0], ids=["old", "written", "later"])
def test_a_look_whose_writing_nobody_confirmed_ends_no_other_look(seen_s: float) -> None:
    """The reply may be lost, or the clock set back: people are warned of the end all the same."""
    made = ruled(**{"warn-before": 600})
    found_s = NOW.wall_s - 60.0
    view = held(made, replace(HELD, seen_s=found_s + seen_s))
    view.visit = Visit(at_s=found_s, logins=("ada",), warned=False)
    found = next_of(made, view)
    if found is not None:
        assert isinstance(found, NoteHold)
        assert (found.hold.seen_s, found.hold.logins) == (found_s, ("ada",))
        assert view.launch is not None
        view.launch = replace(view.launch, hold=found.hold)
    made.touch_node(view)
    assert isinstance(next_of(made, view, at(3000.0)), LookIn)


def test_a_machine_that_nobody_can_log_in_to_is_not_looked_at() -> None:
    """With the reason."""
    made = ruled()
    view = held(made, address="198.18.0.1")
    assert "no ssh-key-file" in str(order(view, made.policy, None))
    policy = compile_policy(Config.model_validate(document(ssh_key_file="/k")), "here")
    assert "not in the configuration" in str(order(view, replace(policy, making={}), None))
    (key,) = [view.key]
    assert view.launch is not None
    view.launch = replace(view.launch, host_key=None)
    view.node = None
    making = {key: policy.making[key].model_copy(update={"host_keys": "inject"})}
    assert "does not know the host key" in str(order(view, replace(policy, making=making), None))
    nowhere = held(made, None, 3)
    assert nowhere.launch is not None
    nowhere.launch = replace(nowhere.launch, address=None)
    nowhere.server.shown = nowhere.node = None
    assert "nobody knows the address" in str(order(nowhere, policy, None))


def test_the_status_endpoint_shows_holds_and_those_first_that_end_first() -> None:
    """A hundred at most, and how many there are."""
    made = ruled()
    held(made, HELD)
    held(made, replace(HELD, ends_s=NOW.wall_s + 5.0, logins=("ada",)), 2)
    wished(made, number=3)
    held(made, None, 4)
    held(made, replace(GRANTED, refused="no"), 5)
    for number in range(10, 130):
        held(made, replace(HELD, ends_s=NOW.wall_s + 90_000.0), number)
    told = showing.shown(made)
    assert (told["count"], len(told["first"])) == (122, showing.SHOWN_MAX)
    first = told["first"][0]
    assert (first["ends_at_s"], first["owner"], first["logins"]) == (
        NOW.wall_s + 5.0,
        "ada",
        ["ada"],
    )
    assert (first["begun"], first["by"], first["take_home"]) == (True, "asked", None)
