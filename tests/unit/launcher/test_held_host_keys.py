"""The host key of a held machine: changed step by step, and believed as it is on record."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from launcher.guest.letting_in import keep_open
from launcher.hostkey.actions import MakeHostKey, NoteHostKey, SwitchHostKey
from launcher.hostkey.changing import change_host_key
from launcher.hostkey.events import HostKeyTried
from launcher.hostkey.hand_change import HostKeyHands
from launcher.hostkey.orders import MAKE, SWITCH, made_key, make_order, switch_order
from launcher.hostkey.results import TRIES_MAX
from launcher.hostkey.view import HostKeyNews
from launcher.hostkey.writes import note_host_key
from launcher.node.probing import probe_target
from launcher.node.view import LockView, NodeView
from launcher.world import World
from remuda.config.holds import HoldsFrom
from remuda.frame.work import Written
from remuda.model import launch as launches
from remuda.model import node as nodes
from remuda.model.heldkey import HostKeyChange, HostKeyEvent, HostKeyStep
from remuda.model.hold import Hold, HoldSource
from remuda.model.node import NodeState
from remuda.ssh.api import ProofSpec
from remuda.store.api import Set, StaleWriteError
from tests.fakes.clock import ManualClock
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import HOST_KEY, NOW, add_node, document, of_kind, policy, think
from tests.unit.launcher.worlds import world as bare
from tests.unit.model.test_publickey import ED25519, RSA

NEW: Final = ED25519
WHERE: Final = "198.18.0.1"
HOLD: Final = Hold(
    owner="ada",
    reason="look",
    source=HoldSource.ASKED,
    for_s=3600.0,
    since_s=NOW.wall_s,
    ends_s=NOW.wall_s + 3600.0,
)
MADE: Final = HostKeyChange(step=HostKeyStep.MADE, at_s=NOW.wall_s, key=NEW)
KEPT: Final = HostKeyChange(step=HostKeyStep.KEPT, at_s=NOW.wall_s, why="it cannot")


def world() -> World:
    """Return a world whose launcher can log in."""
    made = bare()
    made.policy = replace(made.policy, config=policy(ssh_key_file="/k").config)
    return made


def held(made: World, change: HostKeyChange | None = None, **more: Any) -> NodeView:
    """Add a held machine."""
    hold = replace(HOLD, host_key=change, **more)
    launch = {"hold": hold, "address": WHERE}
    view = add_node(made, 1, state=NodeState.HOLD, launch=launch)
    made.touch_node(view)
    return view


def judged(made: World, view: NodeView) -> object:
    """Return the next step."""
    assert view.launch is not None
    return change_host_key(made.policy, view, view.launch)


def noted(works: Works, view: NodeView) -> HostKeyChange:
    """Return what is to be written; it is written, and told by the mirror."""
    action = judged(works.starter.world, view)
    assert isinstance(action, NoteHostKey)
    node, launch = note_host_key(works.starter.world, view, action)
    assert isinstance(node, Set)
    assert isinstance(launch, Set)
    view.node = nodes.decode(view.id, node.data)
    view.launch = launches.decode(view.id, launch.data)
    assert view.node.doc["host_keys"] == list(view.launch.believed_keys)
    return action.change


def carried_out(works: Works, action: MakeHostKey | SwitchHostKey) -> HostKeyTried:
    """Return what comes of an action, which is taken in."""
    works.starter.start(action, NOW)
    _, work = works.workers.orders.pop()
    event = work()
    assert isinstance(event, HostKeyTried)
    works.starter.dispatch.ended(action)
    works.results.take(event, NOW)
    return event


def test_the_key_is_made_recorded_shown_and_recorded() -> None:
    """Both are believed from before it is shown until after it has been."""
    made = world()
    works, view = Works(made), held(made)
    prover = works.starter.proving.prover
    assert isinstance(prover, FakeProver)
    machine = Machine(host_key=HOST_KEY, exits={MAKE: Exit(output=f"hello\nremuda-made {NEW}\n")})
    prover.script(WHERE, machine)
    (make,) = of_kind(think(made), MakeHostKey)
    assert carried_out(works, make).key == NEW
    assert noted(works, view).step is HostKeyStep.MADE
    assert view.launch is not None
    assert view.launch.believed_keys == (HOST_KEY, NEW)
    where = probe_target(view, made.policy)
    assert where is not None
    assert where.host_keys == (HOST_KEY, NEW)

    # sshd is not back yet; then it is.
    switch = judged(made, view)
    assert switch == SwitchHostKey(node=view.id, key=NEW)
    assert isinstance(switch, SwitchHostKey)
    assert carried_out(works, switch).again
    assert judged(made, view) == switch
    assert view.patience.retry_s > NOW.mono_s
    prover.change(WHERE, host_key=NEW)
    scripts = len(prover.orders)
    assert carried_out(works, switch).why is None
    assert len(prover.orders) == scripts  # somebody had done it
    assert noted(works, view).step is HostKeyStep.CHANGED
    assert (view.launch.host_key, view.launch.believed_keys) == (NEW, (NEW,))
    assert json.loads(launches.encode(view.launch))["schema"] == 1
    assert judged(made, view) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda view: replace(view.launch, host_key=None),
        lambda view: replace(view.launch, hold=None),
        lambda view: replace(view.launch, hold=replace(HOLD, since_s=None, ends_s=None)),
        lambda view: replace(view.launch, hold=replace(HOLD, lost="it is gone")),
        lambda view: replace(view.launch, hold=replace(HOLD, host_key=KEPT)),
    ],
    ids=["scanned", "none", "granted", "lost", "kept"],
)
def test_it_stays_where_there_is_nothing_to_change(change: Callable[[NodeView], Any]) -> None:
    """A key that the machine has made by itself is in no user data."""
    made = world()
    view = held(made)
    view.launch = change(view)
    assert judged(made, view) is None


def test_it_is_changed_unless_the_configuration_says_otherwise() -> None:
    """What is begun is carried on all the same, for nobody knows which key is shown."""
    made = world()
    holds = HoldsFrom.model_validate({"change_host_key": False})
    made.policy = replace(made.policy, holds=holds)
    assert judged(made, held(made)) is None
    assert isinstance(judged(made, held(made, MADE)), SwitchHostKey)
    assert document(), "the default is in the reference"
    assert HoldsFrom().change_host_key


def test_people_wait_until_the_machine_has_its_own_key() -> None:
    """Then it is their turn."""
    made = world()
    view = held(made)
    assert view.launch is not None
    assert view.node is not None
    first = keep_open(made, view, view.launch, view.node, NOW)
    assert isinstance(first, MakeHostKey)
    view.launch = replace(view.launch, hold=replace(HOLD, host_key=KEPT))
    assert keep_open(made, view, view.launch, view.node, NOW) is None


@pytest.mark.parametrize(
    ("change", "schema"),
    [
        (None, 1),
        (MADE, 2),
        (replace(MADE, step=HostKeyStep.KEPT), 2),
        (KEPT, 1),
    ],
    ids=["none", "made", "kept both", "kept"],
)
def test_who_knows_of_one_key_alone_does_not_read_a_record_with_two(
    change: HostKeyChange | None, schema: int
) -> None:
    """It would drop one of them, and lock everybody out."""
    launch = held(world(), change).launch
    assert launch is not None
    raw = launches.encode(launch)
    assert json.loads(raw)["schema"] == schema
    assert launches.decode(launch.id, raw) == launch


@pytest.mark.parametrize("change", [None, MADE], ids=["none", "made"])
def test_under_anothers_lock_it_waits(change: HostKeyChange | None) -> None:
    """The users' record is theirs to write: Zuul gives a node back by what it has read."""
    made = world()
    view = held(made, change)
    assert view.launch is not None
    assert view.node is not None
    first = keep_open(made, view, view.launch, view.node, NOW)
    assert isinstance(first, MakeHostKey | SwitchHostKey)
    view.lock = LockView(exists=True, contenders=frozenset({"x__lock__0000000000"}))
    for news in (None, HostKeyNews(before=change, after=KEPT)):
        view.host_key = news
        assert keep_open(made, view, view.launch, view.node, NOW) is None
    view.lock = LockView(exists=True)
    noted = keep_open(made, view, view.launch, view.node, NOW)
    assert isinstance(noted, NoteHostKey)


def hands(**machine: Any) -> HostKeyHands:
    """Return hands to a machine that behaves so."""
    prover = FakeProver({WHERE: Machine(host_key=HOST_KEY, **machine)})
    return HostKeyHands(prover=prover, stopped=lambda: False, clock=ManualClock())


def ordered(made: World, view: NodeView, *, switch: bool) -> ProofSpec:
    """Return what the prover is told."""
    make = MakeHostKey(node=view.id)
    found = (
        switch_order(view, made.policy, SwitchHostKey(node=view.id, key=NEW))
        if switch
        else make_order(view, made.policy, make)
    )
    assert isinstance(found, ProofSpec)
    assert found.setup is not None
    assert found.setup.as_root
    assert found.setup.arguments == ((HOST_KEY, NEW) if switch else (HOST_KEY,))
    return found


@pytest.mark.parametrize(
    "output",
    ["", "remuda-made", f"remuda-made {RSA}", f"remuda-made {NEW} x", "remuda-made \x00"],
    ids=["nothing", "no key", "RSA", "more", "zero"],
)
def test_a_machine_may_say_anything(output: str) -> None:
    """Only a key of the kind that was wanted, and nothing beside it, is one."""
    made = world()
    view = held(made)
    exits = {MAKE: Exit(output=output)}
    tried = hands(exits=exits).make(MakeHostKey(node=view.id), ordered(made, view, switch=False))
    assert tried.why == "the machine does not say which host key it has made"
    assert made_key(output) is None


def test_a_machine_that_cannot_keeps_its_key() -> None:
    """With its words on record, and both keys believed if it may show either."""
    made = world()
    works, view = Works(made), held(made)
    action = MakeHostKey(node=view.id)
    exits = {MAKE: Exit(code=1, output="no ssh-keygen"), SWITCH: Exit(code=1, output="no")}
    cannot = hands(exits=exits).make(action, ordered(made, view, switch=False))
    assert (cannot.again, "no ssh-keygen" in str(cannot.why)) == (False, True)
    works.results.take(cannot, NOW)
    change = noted(works, view)
    assert (change.step, change.key) == (HostKeyStep.KEPT, None)
    assert view.launch is not None
    assert view.launch.believed_keys == (HOST_KEY,)

    view = held(made, MADE)
    switch = SwitchHostKey(node=view.id, key=NEW)
    works.results.take(hands(exits=exits).switch(switch, ordered(made, view, switch=True)), NOW)
    change = noted(works, view)
    assert (change.step, change.key, "no" in str(change.why)) == (HostKeyStep.KEPT, NEW, True)
    assert view.launch is not None
    assert view.launch.believed_keys == (HOST_KEY, NEW)
    assert hands().make(action, "why not").why == "why not"
    assert hands().switch(switch, "why not").why == "why not"


def test_a_machine_that_does_not_answer_is_tried_a_few_times() -> None:
    """Its people wait for their keys."""
    made = world()
    works, view = Works(made), held(made)
    order = ordered(made, view, switch=False)
    away = hands(too_early=1).make(MakeHostKey(node=view.id), order)
    for _ in range(TRIES_MAX - 1):
        works.results.take(away, NOW)
        assert view.host_key is None
    works.results.take(away, NOW)
    assert noted(works, view).step is HostKeyStep.KEPT


def test_news_of_what_is_not_on_record_are_none() -> None:
    """Another launcher may have gone on while a hand of ours was on the machine."""
    made = world()
    works, view = Works(made), held(made, MADE)
    late = HostKeyTried(node=view.id, wanted=HostKeyEvent.MADE, key=RSA)
    works.results.take(late, NOW)
    works.results.take(replace(late, wanted=HostKeyEvent.SHOWN), NOW)
    assert view.host_key is None
    works.results.take(replace(late, wanted=HostKeyEvent.SHOWN, key=NEW), NOW)
    assert view.host_key is not None
    assert view.launch is not None
    view.launch = replace(view.launch, hold=replace(HOLD, host_key=KEPT))
    assert judged(made, view) is None
    works.results.take(replace(late, wanted=HostKeyEvent.SHOWN, key=NEW), NOW)
    view.launch = replace(view.launch, hold=None)
    works.results.take(late, NOW)
    works.results.take(replace(late, node="gone"), NOW)


@pytest.mark.parametrize("step", list(HostKeyStep))
def test_what_is_written_is_no_news_any_more(step: HostKeyStep) -> None:
    """The next step is judged by the record alone."""
    made = world()
    works, view = Works(made), held(made)
    change = HostKeyChange(step=step, at_s=NOW.wall_s, key=NEW)
    view.host_key = HostKeyNews(before=None, after=change)
    action = judged(made, view)
    assert isinstance(action, NoteHostKey)
    works.results.take(Written(action=action, result=()), NOW)
    assert view.host_key is None
    view.host_key = HostKeyNews(before=None, after=change)
    works.results.take(Written(action=action, result=StaleWriteError("x", "somebody wrote")), NOW)
    assert view.host_key is not None
