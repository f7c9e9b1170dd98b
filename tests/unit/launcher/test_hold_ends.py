"""The end of a hold: people are told, looked for, and what is lost is shown."""

from dataclasses import replace

from launcher.hold.actions import LookIn
from launcher.hold.view import Visit
from launcher.node.actions import Condemn
from remuda.cloud.api import ServerStatus
from remuda.model.hold import BY_LOGIN
from tests.unit.launcher.test_holds import HELD, at, held, next_of, noted, ruled
from tests.unit.launcher.test_lifecycle import shown
from tests.unit.launcher.worlds import NOW


def test_people_are_told_before_the_end_and_looked_for_at_it() -> None:
    """Who is logged in then gets more time, once."""
    made = ruled(**{"warn-before": "10m", "extend": {"by": "1h"}})
    view = held(made)
    assert next_of(made, view, at(2990.0)) is None
    look = next_of(made, view, at(2996.0))
    assert isinstance(look, LookIn)
    assert look.warning == "This machine is held for ada and is deleted in 10 m."
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
