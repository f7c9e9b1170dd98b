"""The end of a hold: people are told, looked for, and what is lost is shown."""

from dataclasses import replace

from launcher.hold.actions import LookIn
from launcher.hold.view import Visit
from launcher.hold.writes import note_hold
from launcher.node.actions import Condemn
from launcher.node.steps import take_launch
from launcher.node.view import LockView, NodeView
from remuda.cloud.api import ServerStatus
from remuda.model.hold import BY_LOGIN
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Set
from tests.unit.launcher.test_holds import CONTENDER, HELD, at, held, next_of, noted, ruled
from tests.unit.launcher.test_lifecycle import shown
from tests.unit.launcher.worlds import NOW, think


def test_people_are_told_before_the_end_and_looked_for_at_it() -> None:
    """Who is logged in then gets more time, once."""
    made = ruled(**{"warn-before": "10m", "extend": {"by": "1h"}})
    view = held(made)
    assert next_of(made, view, at(2990.0)) is None
    look = next_of(made, view, at(2996.0))
    assert isinstance(look, LookIn)
    assert look.warning == "This machine is held for ada and is deleted in 10m."
    view.visit = Visit(at_s=NOW.wall_s + 2997.0, logins=(), warned=True)
    found = noted(made, view, at(2998.0))
    assert (found.news, found.hold.warned_s) == (("hold.ending",), NOW.wall_s + 2997.0)
    assert view.launch is not None
    view.launch, view.visit = replace(view.launch, hold=found.hold), None
    look = next_of(made, view, at(3556.0))
    assert look == LookIn(node=view.id)
    view.visit = Visit(at_s=NOW.wall_s + 3557.0, logins=("ada pts/0",), warned=False)
    found = noted(made, view, at(3557.0))
    assert found.hold.ends_s == NOW.wall_s + 7195.0
    assert found.hold.extended[-1].token == BY_LOGIN
    again = replace(found.hold, warned_s=NOW.wall_s + 7000.0)
    view.launch, view.visit = replace(view.launch, hold=again), None
    assert next_of(made, view, at(7180.0)) is None
    assert isinstance(next_of(made, view, at(7195.0)), Condemn)


def test_a_look_that_finds_nothing_keeps_nobody() -> None:
    """A machine that does not answer ends with its hold."""
    made = ruled(**{"warn-before": 0})
    view = held(made)
    view.visit = Visit(at_s=NOW.wall_s + 3560.0, logins=None, warned=False, why="no route")
    found = noted(made, view, at(3560.0))
    assert (found.hold.ends_s, found.hold.idle_since_s) == (HELD.ends_s, None)
    assert view.launch is not None
    view.launch, view.visit = replace(view.launch, hold=found.hold), None
    assert isinstance(next_of(made, view, at(3595.0)), Condemn)


def test_a_machine_that_nobody_uses_ends_sooner_if_the_rules_say_so() -> None:
    """The end is written first."""
    made = ruled(**{"warn-before": 0, "idle-end": "30m"})
    view = held(made)
    assert next_of(made, view, at(100.0)) is None
    assert isinstance(next_of(made, view, at(446.0)), LookIn)
    idle = replace(HELD, idle_since_s=NOW.wall_s, seen_s=NOW.wall_s + 1400.0)
    assert view.launch is not None
    view.launch = replace(view.launch, hold=idle)
    view.visit = Visit(at_s=NOW.wall_s + 1801.0, logins=(), warned=False)
    found = noted(made, view, at(1801.0))
    assert found.hold.ends_s == NOW.wall_s + 1801.0
    assert "(holds: idle-end)" in (found.hold.bounded or "")
    view.visit = replace(view.visit, logins=("ada",))
    assert noted(made, view, at(1801.0)).hold.idle_since_s is None


def test_a_maximum_that_is_newer_than_a_hold_leaves_its_people_a_warning() -> None:
    """What would be over by it already ends after `warn-before`, or at its own end before that."""
    made = ruled(most_s=3600.0, **{"warn-before": "10m"})
    view = held(made, None)
    assert view.node is not None
    for own_s, ends_s in ((90_000.0, 600.0), (7300.0, 100.0)):
        since_s = NOW.wall_s - 7200.0
        view.node = replace(view.node, state_time_s=since_s, hold_expiration=own_s)
        found = noted(made, view).hold
        assert found.ends_s == found.latest_s == NOW.wall_s + ends_s
        assert found.bounded == "no hold is longer than 1h (max-hold-age)"


def test_a_hold_that_others_wrote_for_too_long_ends_at_the_maximum_to_the_millisecond() -> None:
    """Else an extension would be granted, and spent, for the rest of one."""
    made = ruled(most_s=3600.0)
    view = held(made, None)
    assert view.node is not None
    view.node = replace(view.node, state_time_s=NOW.wall_s + 0.00049, hold_expiration=90_000.0)
    found = noted(made, view, at(1.0)).hold
    assert found.ends_s == found.latest_s


def test_a_lock_that_nobody_lets_go_keeps_a_hold_for_moments_only() -> None:
    """It goes on under the lock, in our own record; those in the lock are named."""
    made = ruled(**{"warn-before": 0, "extend": {"times": 0}})
    view = locked(held(made))
    view.server.shown = shown(ServerStatus.ERROR)
    written = note_hold(made, view, noted(made, view), now_s=NOW.wall_s)
    assert [one.path for one in written if isinstance(one, Set)] == [
        paths.launch(made.policy.provider, view.id)
    ]
    view.server.shown = shown()
    assert next_of(made, view, at(3595.0)) is None
    plan = think(made, at(3595.0))
    assert [a.due_s for a in plan.alarms if a.name == view.id] == [NOW.mono_s + 3625.0]
    assert next_of(made, view, at(3624.9)) is None
    ended = next_of(made, view, at(3625.0))
    assert ended == Condemn(
        node=view.id,
        cause="its hold is over, and its lock was not let go for 30 s",
        lapsed=(CONTENDER,),
    )


def test_what_is_given_back_under_a_lock_goes_when_its_hold_is_over() -> None:
    """Whoever gave it back has not its lock; in use it was never again."""
    made = ruled(**{"warn-before": 0, "extend": {"times": 0}})
    view = locked(held(made))
    assert view.node is not None
    view.node = replace(view.node, state=NodeState.USED)
    assert next_of(made, view, at(3624.9)) is None
    ended = next_of(made, view, at(3625.0))
    assert isinstance(ended, Condemn)
    assert ended.lapsed == (CONTENDER,)
    view.node = replace(view.node, state=NodeState.IN_USE)
    assert next_of(made, view, at(1e6)) is None
    view.node = replace(view.node, state=NodeState.USED)
    assert view.launch is not None
    view.launch = replace(view.launch, hold=None)
    assert next_of(made, view, at(1e6)) is None


def test_a_locked_hold_that_is_over_when_it_is_seen_first_ends_when_people_were_warned() -> None:
    """Whoever may write nodes may call one in use a hold that is over: its lock is no dead one."""
    made = ruled(**{"warn-before": "10m", "extend": {"times": 0}})
    view = locked(held(made, None))
    assert view.node is not None
    view.node = replace(view.node, hold_expiration=1.0, state_time_s=NOW.wall_s - 3600.0)
    found = noted(made, view)
    assert found.hold.ends_s == NOW.wall_s + 600.0
    assert view.launch is not None
    view.launch = replace(view.launch, hold=found.hold)
    assert isinstance(next_of(made, view), LookIn)
    view.launch = replace(view.launch, hold=replace(found.hold, warned_s=NOW.wall_s))
    assert not isinstance(next_of(made, view, at(629.0)), Condemn)
    ended = next_of(made, view, at(631.0))
    assert isinstance(ended, Condemn)
    assert ended.lapsed == (CONTENDER,)


def locked(view: NodeView) -> NodeView:
    """Leave somebody in the lock of a node."""
    view.lock = LockView(exists=True, contenders=frozenset({CONTENDER}))
    return view


def test_who_could_not_be_told_is_told_a_little_later() -> None:
    """A look that did not come through is no warning; it is not tried without a pause."""
    made = ruled(**{"warn-before": "10m", "extend": {"times": 0}})
    view = held(made)
    view.visit = Visit(at_s=NOW.wall_s + 2996.0, logins=None, warned=False, why="no route")
    found = noted(made, view, at(2996.0))
    assert (found.news, found.hold.warned_s) == ((), None)
    assert view.launch is not None
    view.launch, view.visit = replace(view.launch, hold=found.hold), None
    assert next_of(made, view, at(3055.0)) is None
    look = next_of(made, view, at(3056.0))
    assert isinstance(look, LookIn)
    assert look.warning is not None


def test_a_clock_that_is_set_back_ends_no_looks() -> None:
    """What is in the record from a time that is yet to come was by now at the latest."""
    made = ruled(**{"warn-before": "10m", "idle-end": "30m"})
    ahead = replace(HELD, seen_s=NOW.wall_s + 9000.0, idle_since_s=NOW.wall_s + 8000.0)
    view = held(made, replace(ahead, warned_s=NOW.wall_s + 9000.0))
    assert isinstance(next_of(made, view, at(2996.0)), LookIn)
    view.visit = Visit(at_s=NOW.wall_s + 2996.0, logins=(), warned=False)
    found = noted(made, view, at(2996.0)).hold
    assert found.seen_s == found.idle_since_s == NOW.wall_s + 2996.0
    assert found.warned_s == NOW.wall_s + 9000.0


def test_a_look_that_is_on_record_is_news_no_more() -> None:
    """Though the answer to its transaction was lost."""
    made = ruled(**{"warn-before": 0, "idle-end": "30m"})
    view = held(made)
    view.visit = Visit(at_s=NOW.wall_s + 446.0, logins=(), warned=False)
    found = noted(made, view, at(446.0)).hold
    assert view.launch is not None
    take_launch(view, replace(view.launch, hold=found), latest_listing=0)
    assert view.visit is None
    assert next_of(made, view, at(447.0)) is None


def test_the_death_of_its_server_is_shown() -> None:
    """The hold stays, and nobody looks in."""
    made = ruled(extend={"times": 1})
    view = held(made)
    view.server.shown = shown(ServerStatus.ERROR)
    found = noted(made, view)
    assert found.news == ("hold.lost",)
    assert "the cloud says of its server" in (found.hold.lost or "")
    assert view.launch is not None
    view.launch = replace(view.launch, hold=found.hold)
    assert next_of(made, view, at(3580.0)) is None
    view.server.shown = shown()
    assert noted(made, view).news == ("hold.back",)
